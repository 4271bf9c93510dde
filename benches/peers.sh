#!/usr/bin/env bash
# drapto against what a user would pick instead, on the same clip, in turn.
#
#   benches/peers.sh [CLIP...]            at a fixed CRF
#   benches/peers.sh --target [CLIP...]   at a quality target; its peers are described in peers_target.sh
#
#   N=3               rounds; the order of the programs rotates from round to round, medians are printed
#   CRF=25 PRESET=6 KEYINT=10s LP=   the same for all; an empty LP leaves each program's own default
#   TARGET=93         the VMAF of --target; AB_AV1=PATH VMAF_FFMPEG=PATH: what its peers are, built if not given
#   DRAPTO=PATH       the program to measure (default: target/release/drapto); with --target there may be several,
#                     one for each SVT-AV1, with blanks between them: DRAPTO="target/release/drapto other/drapto"
#   DRAPTO_ARGS="..." further options for it
#
# The peers at a fixed CRF, each only where it uses the SVT-AV1 version that drapto links:
#   ffmpeg   (a) ffmpeg -c:v libsvtav1 -c:a libopus, one process
#   pipe     (b) ffmpeg -f yuv4mpegpipe | SvtAv1EncApp: the picture alone
#   whole    (b) and then, as a user has to, ffmpeg encoding the sound and muxing both
# `pipe` is compared with drapto on the clip without its sound, the others with drapto on the whole clip.
# drapto's time includes the verification of its output, which the peers do not do.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

N=${N:-3} CRF=${CRF:-25} PRESET=${PRESET:-6} KEYINT=${KEYINT:-10s} LP=${LP:-}
DRAPTO=${DRAPTO:-${CARGO_TARGET_DIR:-target}/release/drapto}
work=${CARGO_TARGET_DIR:-target}/peers
read -r -a drapto_args <<<"${DRAPTO_ARGS:-}"
# What an earlier round found out is not to save a later one its work.
export DRAPTO_NO_CACHE=true
at_target=0
if [ "${1:-}" = --target ]; then at_target=1 && shift; fi

die() {
    printf 'peers: %s\n' "$*" >&2
    exit 1
}
note() { printf 'peers: %s\n' "$*" >&2; }

# ---- tools and versions ----------------------------------------------------------------------------------

# A path with blanks is one program, where there is such a program.
programs=("$DRAPTO")
command -v "$DRAPTO" >/dev/null || read -r -a programs <<<"$DRAPTO"
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || die "$program is missing; run: cargo build --release"
done
[ ${#programs[@]} = 1 ] || [ $at_target = 1 ] || die 'several programs are compared with --target only'
for tool in ffmpeg ffprobe; do
    command -v $tool >/dev/null || die "$tool is missing; run: scripts/setup --bench"
done
TIME=''
for candidate in gtime /usr/bin/time; do
    command -v $candidate >/dev/null || continue
    case $($candidate --version 2>&1) in *GNU*) TIME=$candidate && break ;; esac
done
[ -n "$TIME" ] || die 'GNU time is missing; run: scripts/setup --bench'

# The version in the file name behind the library that a program loads: libSvtAv1Enc.so.2.3.0 → 2.3.0 (a wheel's has a
# hash in its name).
linked_svt() {
    local library
    command -v ldd >/dev/null || return 1
    library=$(ldd "$(command -v "$1")" 2>/dev/null | awk '/libSvtAv1Enc[^ ]*\.so/ { print $3; exit }')
    [ -n "$library" ] && readlink -f "$library" | sed -n 's/.*\.so\.\([0-9][0-9.]*\)$/\1/p'
}
# What ffmpeg says when it encodes, linked in whatever way: all of it, as 4.2.0-151-g5ed9ffbcb is not 4.2.0.
ffmpeg_svt_of() {
    { "$1" -nostdin -hide_banner -f rawvideo -pix_fmt yuv420p -video_size 64x64 -i /dev/zero -frames:v 2 -c:v libsvtav1 -f null - 2>&1 || true; } |
        sed -n 's/.*SVT-AV1 Encoder Lib v\([0-9][^[:space:]]*\).*/\1/p' | head -n 1
}
# `drapto 0.1.0 (SVT-AV1 2.3.0, from the system)`
drapto_svt_of() { "$1" --version | sed -n 's/.*(SVT-AV1 v\{0,1\}\([0-9][^ ,)]*\).*/\1/p'; }

# peer, program, its SVT-AV1, why there is none: whether it has drapto's; says why it is left out.
is_comparable() {
    local why=$4
    [ "$3" != "$drapto_svt" ] || return 0
    [ -z "$3" ] || why="$2 uses SVT-AV1 $3, drapto $drapto_svt"
    note "$1 skipped: $why"
    return 1
}

# Which peers there are at a fixed CRF.
find_peers() {
    drapto_svt=$(drapto_svt_of "$DRAPTO")
    [ -n "$drapto_svt" ] || die "$DRAPTO --version does not say which SVT-AV1 it has"
    ffmpeg_svt=$(ffmpeg_svt_of ffmpeg)
    [ -n "$ffmpeg_svt" ] || ffmpeg_svt=$(linked_svt ffmpeg || true)
    app_svt=$({ SvtAv1EncApp --version 2>&1 || true; } | sed -n 's/.*[[:space:]]v\([0-9.]*[0-9]\).*/\1/p' | head -n 1)

    # Never `| grep -q`: it ends at the first match, and the writer's broken pipe would count as a failure.
    case $(ffmpeg -hide_banner -encoders 2>/dev/null) in *' libopus '*) has_opus=1 ;; *) has_opus=0 ;; esac

    with_ffmpeg=0 with_pipe=0
    if is_comparable '(a)' ffmpeg "$ffmpeg_svt" 'this ffmpeg has no libsvtav1'; then with_ffmpeg=1; fi
    if is_comparable '(b)' SvtAv1EncApp "$app_svt" 'SvtAv1EncApp is missing; run: scripts/setup --bench'; then with_pipe=1; fi
    [ $((with_ffmpeg + with_pipe)) -gt 0 ] || die 'no peer of the same SVT-AV1 version: nothing to compare with'
}

# ---- one run each ----------------------------------------------------------------------------------------

# Runs a command that writes the second file; leaves `wall cpu peak_kib` in the first.
timed() {
    local into=$1
    rm -f "$2"
    shift 2
    "$TIME" -q -f '%e %U %S %M' -o "$into.raw" "$@" >"$into.log" 2>&1 || {
        tail -n 20 "$into.log" >&2
        die "failed: $*"
    }
    awk '{ printf "%s %.2f %s\n", $1, $2 + $3, $4 }' "$into.raw" >"$into"
}

video_packets() { # frames and bytes of the picture in a file
    ffprobe -v error -select_streams v:0 -show_entries packet=size -of csv=p=0 "$1" |
        awk -F, 'NF { n++; bytes += $1 } END { print n + 0, bytes + 0 }'
}

# SvtAv1EncApp takes "10s" for one frame more than drapto's 10 s: all are told a number.
keyint_of() { # film, stream
    if [ "$KEYINT" != 10s ]; then
        printf '%s\n' "$KEYINT"
        return
    fi
    ffprobe -v error -select_streams "$2" -show_entries stream=avg_frame_rate -of csv=p=0 "$1" |
        awk -F'[/,]' 'NR == 1 && $2 > 0 { printf "%.0f", 10 * $1 / $2 }'
}

record() { # variant, wall, cpu, peak_kib, peak_kib of all processes together, file
    [ -s "$6" ] || die "$1 wrote no output"
    local frames bytes
    read -r frames bytes < <(video_packets "$6")
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$frames" "$bytes" >>"$results"
    note "  $1: wall $2 s, CPU $3 s, peak $(($4 / 1024)) MiB, $frames frames, $bytes bytes of picture"
}

run_drapto() { # variant, input
    local wall cpu peak options=(--crf "$CRF" --preset "$PRESET" --overwrite --report "$dir/$1.json") svt=''
    [ "$KEYINT" = 10s ] || svt=keyint=$keyint
    [ -z "$LP" ] || svt=${svt:+$svt:}lp=$LP
    [ -z "$svt" ] || options+=(--svt "$svt")
    timed "$dir/$1.time" "$dir/$1.mkv" "$DRAPTO" encode "$2" "$dir/$1.mkv" --crop off "${options[@]}" ${drapto_args[@]+"${drapto_args[@]}"}
    read -r wall cpu peak <"$dir/$1.time"
    record "$1" "$wall" "$cpu" "$peak" "$peak" "$dir/$1.mkv"
}

run_ffmpeg() {
    local wall cpu peak
    timed "$dir/ffmpeg.time" "$dir/ffmpeg.mkv" ffmpeg -nostdin -v error -y -i "$clip" -map 0:v:0 -map '0:a?' -c:v libsvtav1 \
        -preset "$PRESET" -crf "$CRF" -pix_fmt yuv420p10le -svtav1-params "tune=0:keyint=$keyint${LP:+:lp=$LP}" \
        ${audio_options[@]+"${audio_options[@]}"} "$dir/ffmpeg.mkv"
    read -r wall cpu peak <"$dir/ffmpeg.time"
    record ffmpeg "$wall" "$cpu" "$peak" "$peak" "$dir/ffmpeg.mkv"
}

# The programs and paths go in through the environment, so that names with spaces and quotes stay whole.
run_pipe() {
    local wall cpu peak cpu_in peak_in cpu_enc peak_enc mux_wall mux_cpu mux_peak
    # shellcheck disable=SC2016
    CLIP=$clip DIR=$dir TIME=$TIME PRESET=$PRESET CRF=$CRF KEYINT=$keyint LP=$LP \
        timed "$dir/pipe.time" "$dir/pipe.ivf" bash -c 'set -o pipefail
        "$TIME" -q -f "%U %S %M" -o "$DIR/reader" ffmpeg -nostdin -v error -i "$CLIP" -map 0:v:0 -f yuv4mpegpipe -strict -1 \
            -pix_fmt yuv420p10le - |
        "$TIME" -q -f "%U %S %M" -o "$DIR/encoder" SvtAv1EncApp -i stdin --preset "$PRESET" --crf "$CRF" --tune 0 \
            --keyint "$KEYINT" ${LP:+--lp "$LP"} --progress 0 -b "$DIR/pipe.ivf"'
    read -r wall _ _ <"$dir/pipe.time"
    read -r cpu_in peak_in < <(awk '{ print $1 + $2, $3 }' "$dir/reader")
    read -r cpu_enc peak_enc < <(awk '{ print $1 + $2, $3 }' "$dir/encoder")
    cpu=$(awk -v a="$cpu_in" -v b="$cpu_enc" 'BEGIN { printf "%.2f", a + b }')
    peak=$((peak_in + peak_enc))
    record pipe "$wall" "$cpu" "$peak_enc" "$peak" "$dir/pipe.ivf"
    [ "$audio_tracks" -gt 0 ] || return 0

    timed "$dir/mux.time" "$dir/whole.mkv" ffmpeg -nostdin -v error -y -i "$dir/pipe.ivf" -i "$clip" -map 0:v -map 1:a -c:v copy \
        "${audio_options[@]}" "$dir/whole.mkv"
    read -r mux_wall mux_cpu mux_peak <"$dir/mux.time"
    [ "$mux_peak" -le "$peak" ] || peak=$mux_peak
    record whole "$(awk -v a="$wall" -v b="$mux_wall" 'BEGIN { printf "%.2f", a + b }')" \
        "$(awk -v a="$cpu" -v b="$mux_cpu" 'BEGIN { printf "%.2f", a + b }')" "$peak_enc" "$peak" "$dir/whole.mkv"
}

# Opus at drapto's rates, and 5.1(side) as the 5.1 that libopus knows.
audio_setup() {
    local channels rate
    audio_tracks=0 audio_options=()
    while read -r channels; do
        [ -n "$channels" ] || continue
        case $channels in 1) rate=64k ;; 2) rate=128k ;; 6) rate=256k ;; 8) rate=384k ;; *) rate=$((channels * 48))k ;; esac
        audio_options+=("-b:a:$audio_tracks" "$rate"
            "-filter:a:$audio_tracks" 'aformat=channel_layouts=mono|stereo|3.0|quad|5.0|5.1|6.1|7.1')
        audio_tracks=$((audio_tracks + 1))
    done < <(ffprobe -v error -select_streams a -show_entries stream=channels -of csv=p=0 "$1" | tr -d ,)
    if [ "$audio_tracks" -gt 0 ]; then
        [ $has_opus = 1 ] || die 'this ffmpeg has no libopus; give clips without sound'
        audio_options=(-c:a libopus "${audio_options[@]}")
    fi
}

# ---- tables ----------------------------------------------------------------------------------------------

median_of() { # variant, column
    awk -F'\t' -v v="$1" -v c="$2" '$1 == v { print $c }' "$results" | sort -n |
        awk '{ x[NR] = $1 } END { if (NR) printf "%.2f\n", NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2 }'
}
# Peers of one round ran one after the other, so their ratio is free of the machine's slower moods.
ratio_of() { # ours, peer, column of ours, column of the peer
    paste <(awk -F'\t' -v v="$1" -v c="$3" '$1 == v { print $c }' "$results") \
        <(awk -F'\t' -v v="$2" -v c="$4" '$1 == v { print $c }' "$results") |
        awk '$2 > 0 { print $1 / $2 }' | sort -n |
        awk '{ x[NR] = $1 } END { if (NR) printf "%.3f", NR % 2 ? x[(NR + 1) / 2] : (x[NR / 2] + x[NR / 2 + 1]) / 2; else printf "-" }'
}
mib() { awk -v kib="$1" 'BEGIN { printf "%.0f", kib / 1024 }'; }

tables() {
    local variant ours peer
    printf '\n### %s\n\n' "$(basename "$clip")"
    printf 'SVT-AV1 %s, preset %s, CRF %s, keyint %s, lp %s; medians of %s rounds on %s cores.\n\n' \
        "$drapto_svt" "$PRESET" "$CRF" "$keyint" "${LP:-default}" "$N" "$(getconf _NPROCESSORS_ONLN)"
    echo '| | wall s | CPU s | peak MiB | all processes MiB | frames | picture bytes |'
    echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
    for variant in "${variants_shown[@]}"; do
        printf '| %s | %s | %s | %s | %s | %.0f | %.0f |\n' "$variant" "$(median_of "$variant" 2)" \
            "$(median_of "$variant" 3)" "$(mib "$(median_of "$variant" 4)")" "$(mib "$(median_of "$variant" 5)")" \
            "$(median_of "$variant" 6)" "$(median_of "$variant" 7)"
    done
    # shellcheck disable=SC2016
    printf '\nPeak of `pipe` and `whole` is that of SvtAv1EncApp alone; "all processes" is the sum of the peaks of both\n'
    printf 'ends of the pipe. IVF keeps a temporal delimiter of 2 bytes a frame that Matroska leaves out.\n\n'
    printf 'Medians of the ratios within a round:\n\n'
    echo '| drapto ÷ peer | wall | CPU | peak ÷ encoder alone | peak ÷ all processes |'
    echo '| --- | ---: | ---: | ---: | ---: |'
    for peer in "${variants_shown[@]}"; do
        case $peer in drapto*) continue ;; esac
        ours=drapto
        [ "$peer" != pipe ] || ours=$drapto_picture
        printf '| %s ÷ %s | %s | %s | %s | %s |\n' "$ours" "$peer" "$(ratio_of "$ours" "$peer" 2 2)" \
            "$(ratio_of "$ours" "$peer" 3 3)" "$(ratio_of "$ours" "$peer" 4 4)" "$(ratio_of "$ours" "$peer" 4 5)"
    done
}

bench_clip() {
    local round i variants=(drapto) frames
    clip=$1
    [ -f "$clip" ] || die "$clip: no such file"
    dir=$work/$(basename "$clip")
    results=$dir/results.tsv
    rm -rf "$dir" # nothing of an earlier run may pass for an output of this one
    mkdir -p "$dir"
    : >"$results"
    audio_setup "$clip"
    keyint=$(keyint_of "$clip" v:0)
    drapto_picture=drapto
    variants_shown=(drapto)
    if [ $with_pipe = 1 ]; then
        variants+=(pipe)
        if [ "$audio_tracks" -gt 0 ]; then
            ffmpeg -nostdin -v error -y -i "$clip" -map 0:v:0 -map_chapters -1 -c copy "$dir/picture-source.mkv"
            drapto_picture='drapto-picture'
            variants+=("$drapto_picture")
            variants_shown+=("$drapto_picture" pipe whole)
        else
            variants_shown+=(pipe)
        fi
    fi
    if [ $with_ffmpeg = 1 ]; then variants+=(ffmpeg) && variants_shown+=(ffmpeg); fi

    for ((round = 0; round < N; round++)); do
        note "$(basename "$clip"), round $((round + 1)) of $N"
        for ((i = 0; i < ${#variants[@]}; i++)); do
            case ${variants[(i + round) % ${#variants[@]}]} in
                drapto) run_drapto drapto "$clip" ;;
                drapto-picture) run_drapto drapto-picture "$dir/picture-source.mkv" ;;
                pipe) run_pipe ;;
                ffmpeg) run_ffmpeg ;;
            esac
        done
    done
    tables
    frames=$(cut -f6 "$results" | sort -un | tr '\n' ' ')
    if [ "$(wc -w <<<"$frames")" -ne 1 ] || [ "${frames% }" = 0 ]; then
        die "frame counts differ ($frames): the comparison above is not of equal work"
    fi
    if [ "${frames% }" != "$(video_packets "$clip" | cut -d' ' -f1)" ]; then
        note "the source has $(video_packets "$clip" | cut -d' ' -f1) packets, every output ${frames% } frames"
    fi
}

[ "$N" -ge 3 ] || note "N=$N: three rounds or more make a result"
clips=("$@")
if [ ${#clips[@]} = 0 ]; then
    clips=(../shared/media/film/sintel_trailer-720p.mp4)
    if [ ! -e "${clips[0]}" ]; then
        note "no ${clips[0]}: using the synthetic sample instead"
        fixtures/make sample
        clips=(target/fixtures/sample.mkv)
    fi
fi
if [ $at_target = 1 ]; then
    # shellcheck source-path=SCRIPTDIR
    . benches/peers_target.sh
    bench_target "${clips[@]}"
    exit 0
fi
find_peers
for clip in "${clips[@]}"; do bench_clip "$clip"; done
