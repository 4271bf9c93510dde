#!/usr/bin/env bash
# What it costs to decode once for two encoders: processor time of
#   both      one job that writes two sizes of a clip (examples/two_sizes)
#   separate  two jobs, one for each size
#   piped     one ffmpeg that decodes and scales once, into two SvtAv1EncApps: what the same costs without drapto
#   alone     SvtAv1EncApp on the same pictures, decoded and scaled before: the encoders alone
#
# `both` also looks at the film before and verifies both files after, which the last two do not.
#
#   benches/two_sizes.sh [CLIP]
#
#   SECONDS_OF=10   how much of the clip, without its sound
#   CRF=32 PRESET=8 N=3   medians of N rounds
#   DRAPTO=PATH TWO=PATH  the programs (default: target/release/drapto, target/release/examples/two_sizes)
#
# The last two only where SvtAv1EncApp has the version that drapto links.
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
    printf 'two_sizes: piped and alone are skipped: SvtAv1EncApp is %s, drapto links %s\n' "${found:-missing}" "${linked:-?}" >&2
fi

one_encoder() {
    SvtAv1EncApp -i "$1" -b "$work/$2.ivf" --crf "$CRF" --preset "$PRESET" --keyint 10s --tune 0
}
encoders() {
    local size
    for size in "$height" 480; do one_encoder "$work/$size.y4m" "$size"; done
}
piped() {
    local size
    for size in "$height" 480; do
        rm -f "$work/$size.fifo"
        mkfifo "$work/$size.fifo"
        one_encoder "$work/$size.fifo" "$size" &
    done
    ffmpeg -v error -nostdin -y -i "$film" -filter_complex "split[a][b];[b]scale=-2:480:flags=lanczos[c]" \
        -map '[a]' -pix_fmt yuv420p10le -strict -1 -f yuv4mpegpipe "$work/$height.fifo" \
        -map '[c]' -pix_fmt yuv420p10le -strict -1 -f yuv4mpegpipe "$work/480.fifo"
    wait
}

for name in both separate piped alone; do : >"$work/$name"; done
for ((round = 1; round <= N; round++)); do
    cpu "$TWO" "$film" "$work/large.mkv" "$work/small.mkv" "${settings[@]}" >>"$work/both"
    one=$(cpu "$DRAPTO" "${single[@]}" "$film" "$work/one.mkv")
    two=$(cpu "$DRAPTO" "${single[@]}" --scale 480 "$film" "$work/two.mkv")
    awk -v a="$one" -v b="$two" 'BEGIN { print a + b }' >>"$work/separate"
    if [ -n "$app" ]; then
        cpu piped >>"$work/piped"
        cpu encoders >>"$work/alone"
    fi
done

both=$(median <"$work/both")
printf 'both      %8.2f s\n' "$both"
for name in separate piped alone; do
    [ -s "$work/$name" ] || continue
    median <"$work/$name" | awk -v both="$both" -v name="$name" \
        '{ printf "%-9s %8.2f s  both/%s %.3f\n", name, $1, name, both / $1 }'
done
rm -f "$work"/*.y4m "$work"/*.fifo
