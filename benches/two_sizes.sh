#!/usr/bin/env bash
# What it costs to decode once for two encoders: processor time of
#   both      one job that writes two sizes of a clip (examples/two_sizes)
#   separate  two jobs, one for each size
#   alone     SvtAv1EncApp on the same pictures, decoded, cropped and scaled before: the encoders alone
#
#   benches/two_sizes.sh [CLIP]
#
#   SECONDS_OF=10   how much of the clip, without its sound
#   CRF=32 PRESET=8 N=3   medians of N rounds
#   DRAPTO=PATH TWO=PATH  the programs (default: target/release/drapto, target/release/examples/two_sizes)
#
# `alone` only where SvtAv1EncApp has the version that drapto links.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

clip=${1:-../shared/media/film/bbb_720p_000-180s.mp4}
length=${SECONDS_OF:-10} CRF=${CRF:-32} PRESET=${PRESET:-8} N=${N:-3}
target=${CARGO_TARGET_DIR:-target}
DRAPTO=${DRAPTO:-$target/release/drapto} TWO=${TWO:-$target/release/examples/two_sizes}
work=$target/two_sizes
mkdir -p "$work"

die() {
    printf 'two_sizes: %s\n' "$*" >&2
    exit 1
}
[ -f "$clip" ] || die "$clip is missing"
for program in "$DRAPTO" "$TWO"; do
    command -v "$program" >/dev/null || die "$program is missing; run: cargo build --release --example two_sizes --bin drapto"
done
command -v ffmpeg >/dev/null || die 'ffmpeg is missing'

film=$work/film.mkv
ffmpeg -v error -nostdin -y -i "$clip" -t "$length" -map 0:v:0 -c copy "$film"
height=$(ffprobe -v error -select_streams v -show_entries stream=height -of csv=p=0 "$film")
[ "$height" -gt 480 ] || die "$clip has $height lines; it takes more than 480"

# Processor seconds of a command and its children, to standard output; its own words go to a log.
cpu() {
    local TIMEFORMAT='%U %S'
    { time "$@" >"$work/log" 2>&1; } 2>&1 | awk '{ print $1 + $2 }'
}
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

settings=(video.preset="$PRESET" quality.crf="$CRF" quality.measure=false picture.crop=off)
single=(encode --quiet --overwrite --reencode --crop off --preset "$PRESET" --crf "$CRF")

app=''
linked=$(ldd "$DRAPTO" 2>/dev/null | awk '/libSvtAv1Enc\.so/ { print $3; exit }' | xargs -r readlink -f | sed -n 's/.*\.so\.//p')
found=$({ SvtAv1EncApp --version 2>&1 || true; } | sed -n 's/.*v\([0-9.]*[0-9]\).*/\1/p' | head -n 1)
if [ -n "$found" ] && [ "$found" = "$linked" ]; then
    app=1
    for size in "$height" 480; do
        ffmpeg -v error -nostdin -y -i "$film" -vf "scale=-2:$size:flags=lanczos" -pix_fmt yuv420p10le -strict -1 \
            -f yuv4mpegpipe "$work/$size.y4m"
    done
else
    printf 'two_sizes: alone is skipped: SvtAv1EncApp is %s, drapto links %s\n' "${found:-missing}" "${linked:-?}" >&2
fi

encoders() {
    local size
    for size in "$height" 480; do
        SvtAv1EncApp -i "$work/$size.y4m" -b "$work/$size.ivf" --crf "$CRF" --preset "$PRESET" --keyint 10s --tune 0
    done
}

for name in both separate alone; do : >"$work/$name"; done
for ((round = 1; round <= N; round++)); do
    cpu "$TWO" "$film" "$work/large.mkv" "$work/small.mkv" "${settings[@]}" >>"$work/both"
    one=$(cpu "$DRAPTO" "${single[@]}" "$film" "$work/one.mkv")
    two=$(cpu "$DRAPTO" "${single[@]}" --scale 480 "$film" "$work/two.mkv")
    awk -v a="$one" -v b="$two" 'BEGIN { print a + b }' >>"$work/separate"
    if [ -n "$app" ]; then cpu encoders >>"$work/alone"; fi
done

both=$(median <"$work/both") separate=$(median <"$work/separate")
printf 'both      %8.2f s\nseparate  %8.2f s  both/separate %.3f\n' "$both" "$separate" \
    "$(awk -v a="$both" -v b="$separate" 'BEGIN { print a / b }')"
if [ -n "$app" ]; then
    alone=$(median <"$work/alone")
    printf 'alone     %8.2f s  both/alone    %.3f\n' "$alone" "$(awk -v a="$both" -v b="$alone" 'BEGIN { print a / b }')"
fi
rm -f "$work"/*.y4m
