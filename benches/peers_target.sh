# shellcheck shell=bash
# shellcheck disable=SC2153,SC2154 # set by peers.sh, which sources this
# The comparison at a quality target; a part of peers.sh, which sources it for --target.
#
#   drapto     drapto encode --target-vmaf
#   plain      drapto encode at one CRF, the mean of those the search ended on: what one encode costs
#   ab-av1     ab-av1 auto-encode on the whole film
#   segments   15 s stream-copied segments, two ab-av1 with 3 samples of 1 s at a time, put together again
#
# Each drapto of DRAPTO is compared with peers whose ffmpeg has the very same SVT-AV1 (peers_ffmpeg.sh builds it, an
# encode by it is asked before anything is measured). All get the same preset, tune and keyframe interval, and 10 bit.
# Where ab-av1 would otherwise do worse than it can, it is told better: it scores without scaling, as the judge does, and
# asks for whole CRFs up to 63 where that encoder has no others. drapto gets the film as it is and also encodes its
# sound; ab-av1 the picture alone, in Matroska where it cannot cut the film or would take the wrong one of two pictures.
#
# What each came to is measured afterwards by libvmaf in that ffmpeg, over all frames, paired by their order:
# the mean, the worst 5 s, and how many of drapto's chunks are within ±0.5 of the target (harmonic mean), for everybody
# over the same stretches of film. A peer that fails on a film is out of that film, and its row says so.

TARGET=${TARGET:-93}
AB_AV1_VERSION=0.11.7
tools=$work/tools
# shellcheck source-path=SCRIPTDIR
. benches/peers_table.sh

# ---- the peers of a drapto -------------------------------------------------------------------------------

fetch_ab_av1() {
    if [ -z "${AB_AV1:-}" ]; then
        AB_AV1=$tools/bin/ab-av1
        if [ "$("$AB_AV1" --version 2>/dev/null)" != "ab-av1 $AB_AV1_VERSION" ]; then
            note "installing ab-av1 $AB_AV1_VERSION: some minutes"
            CARGO_TARGET_DIR=$tools/build-ab-av1 cargo install ab-av1 --version "$AB_AV1_VERSION" --locked --quiet --force \
                --root "$tools" || die "cannot install ab-av1 $AB_AV1_VERSION"
            rm -rf "$tools/build-ab-av1"
        fi
    fi
    command -v "$AB_AV1" >/dev/null || die "AB_AV1: there is no $AB_AV1"
    AB_AV1=$(realpath "$(command -v "$AB_AV1")")
    ab_version=$("$AB_AV1" --version) || die "$AB_AV1 does not run"
}

# Where the ffmpeg and ffprobe of a drapto's peers are; ab-av1 calls what it finds under these names.
fetch_ffmpeg() { # program
    local given
    if [ -z "${VMAF_FFMPEG:-}" ]; then
        benches/peers_ffmpeg.sh "$1"
        return
    fi
    given=$(command -v "$VMAF_FFMPEG") || die "VMAF_FFMPEG: there is no $VMAF_FFMPEG"
    given=$(realpath "$given")
    mkdir -p "$tools/path"
    ln -sf "$given" "$tools/path/ffmpeg"
    if [ -x "${given%/*}/ffprobe" ]; then given=${given%/*}/ffprobe; else given=$(command -v ffprobe); fi
    ln -sf "$given" "$tools/path/ffprobe"
    realpath "$tools/path"
}

# program, name in the tables: makes it the one that is measured. Nothing runs where its peers have another encoder.
choose() {
    local theirs probe=$work/probe-$$
    DRAPTO=$1 label=$2
    drapto_svt=$(drapto_svt_of "$DRAPTO")
    [ -n "$drapto_svt" ] || die "$DRAPTO --version does not say which SVT-AV1 it has"
    bin=$(fetch_ffmpeg "$DRAPTO") || die "there is no ffmpeg for SVT-AV1 $drapto_svt (VMAF_FFMPEG names one that is there)"
    theirs=$(ffmpeg_svt_of "$bin/ffmpeg")
    [ "$theirs" = "$drapto_svt" ] || die "$bin/ffmpeg encodes with SVT-AV1 ${theirs:-unknown}, $DRAPTO with $drapto_svt"
    case $("$bin/ffmpeg" -hide_banner -filters 2>/dev/null) in *' libvmaf '*) ;; *) die "$bin/ffmpeg has no libvmaf" ;; esac
    # Which CRFs there are is asked of the encoder, not concluded from its version.
    crf_step=1
    ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=128x128:rate=24:duration=0.3 -pix_fmt yuv420p "$probe.y4m"
    if "$DRAPTO" encode "$probe.y4m" "$probe.mkv" --crf 30.25 --preset 12 --crop off --overwrite --quiet 2>/dev/null; then
        crf_step=0.25
    fi
    rm -f "$probe".*
}

# ---- the film --------------------------------------------------------------------------------------------

# What drapto's report says of the film, else its first picture: `track`, the judge's `model`, and for the peers `source`
# and `ab_options`.
look_at_film() {
    local others length
    model=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["quality"]["model"])' "$dir/drapto.json" 2>/dev/null) ||
        model=vmaf_v0.6.1
    track=$(python3 -c 'import json, sys
print(next(s["index"] for s in json.load(open(sys.argv[1]))["streams"] if s["kind"] == "video" and s["action"] == "encoded"))' \
        "$dir/drapto.json" 2>/dev/null) ||
        track=$(ffprobe -v error -select_streams v:0 -show_entries stream=index -of csv=p=0 "$clip" | head -n 1 | tr -d ,)
    keyint=$(keyint_of "$clip" "$track")
    [ -n "$keyint" ] || keyint=240 # a film of no rate that ffprobe can tell
    source=$clip
    others=$(ffprobe -v error -select_streams v -show_entries stream=index -of csv=p=0 "$clip" | tr -d , | sort -u | grep -cvx "$track" || true)
    length=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$clip")
    if [ "$others" -gt 0 ]; then
        # ffmpeg takes the largest where ab-av1 cuts its samples, and the first where it encodes.
        "$bin/ffmpeg" -nostdin -v error -y -i "$clip" -map "0:$track" -map_chapters -1 -c copy "$dir/source.mkv" && source=$dir/source.mkv
    elif [ "$length" = N/A ] || [ -z "$length" ]; then
        # A raw stream has no times to cut at, and ffmpeg gives it none when it copies.
        mkvmerge --quiet --output "$dir/source.mkv" "$clip" >"$dir/source.log" && source=$dir/source.mkv
    fi
    [ "$source" = "$clip" ] || note "  the peers get track $track in Matroska"
    ab_options=(--preset "$PRESET" --pix-format yuv420p10le --keyint "$keyint" --svt tune=0 --min-vmaf "$TARGET" --vmaf-scale none
        --vmaf "model=version=$model" --max-encoded-percent 1000 --cache false --video-only)
    [ -z "$LP" ] || ab_options+=(--svt "lp=$LP")
    [ "$crf_step" != 1 ] || ab_options+=(--crf-increment 1 --max-crf 63)
}

# ---- one run each ----------------------------------------------------------------------------------------

record_timed() { # variant
    local wall cpu peak
    read -r wall cpu peak <"$dir/$1.time"
    record "$1" "$wall" "$cpu" "$peak" "$peak" "$dir/$1.mkv"
}

# variant, quality: the film as it is, but for what drapto would make of its picture and the judge could not pair
run_drapto_at() {
    local svt='' variant=$1
    shift
    [ "$KEYINT" = 10s ] || svt=keyint=$KEYINT
    [ -z "$LP" ] || svt=${svt:+$svt:}lp=$LP
    timed "$dir/$variant.time" "$dir/$variant.mkv" "$DRAPTO" encode "$clip" "$dir/$variant.mkv" --crop off --deinterlace off \
        --preset "$PRESET" --overwrite --quiet ${svt:+--svt "$svt"} "$@"
    record_timed "$variant"
}

run_plain() {
    local crf
    if grep -qs '^drapto'$'\t' "$dir/failed"; then die 'drapto came to no CRF'; fi
    crf=$(python3 -c 'import json, sys
step = float(sys.argv[2])
print(f"""{round(json.load(open(sys.argv[1]))["quality"]["crf"] / step) * step:g}""")' "$dir/drapto.json" "$crf_step") ||
        die 'drapto left no report'
    printf '%s\n' "$crf" >"$dir/plain.crf"
    run_drapto_at plain --crf "$crf"
}

run_ab_av1() {
    timed "$dir/ab-av1.time" "$dir/ab-av1.mkv" "$AB_AV1" auto-encode -i "$source" -o "$dir/ab-av1.mkv" \
        "${ab_options[@]}" --temp-dir "$dir"
    record_timed ab-av1
}

# Names go in through the environment and as arguments, so that those with blanks and quotes stay whole.
run_segments() {
    rm -rf "$dir/segments"
    mkdir -p "$dir/segments/out"
    # shellcheck disable=SC2016
    SOURCE=$source DIR=$dir/segments AB=$AB_AV1 \
        timed "$dir/segments.time" "$dir/segments.mkv" bash -c 'set -e
        ffmpeg -nostdin -v error -i "$SOURCE" -map 0:v:0 -c copy -f segment -segment_time 15 -reset_timestamps 1 "$DIR/%04d.mkv"
        one() {
            part=$1 && shift
            "$AB" auto-encode -i "$DIR/$part" -o "$DIR/out/$part" --samples 3 --sample-duration 1s --temp-dir "$DIR" "$@"
        }
        export -f one
        (cd "$DIR" && printf "%s\0" *.mkv) | xargs -0 -P 2 -I{} bash -c '\''one "$@"'\'' one {} "$@"
        (cd "$DIR" && for part in *.mkv; do printf "file out/%s\n" "$part"; done >list)
        ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$DIR/list" -c copy "$DIR/../segments.mkv"' segments "${ab_options[@]}"
    record_timed segments
}

# One run, in a shell of its own: what ends it ends no more than this peer on this film, and its PATH is its own.
attempt() { # variant
    if grep -qs "^$1"$'\t' "$dir/failed"; then return 0; fi
    if ! (
        case $1 in
            drapto) run_drapto_at drapto --target-vmaf "$TARGET" --report "$dir/drapto.json" ${drapto_args[@]+"${drapto_args[@]}"} ;;
            plain) run_plain ;;
            ab-av1) PATH=$bin:$PATH && run_ab_av1 ;;
            segments) PATH=$bin:$PATH && run_segments ;;
        esac
    ); then
        note "  $1 failed on $(basename "$clip")"
        printf '%s\t%s\n' "$1" "$(last_line "$dir/$1.time.log")" >>"$dir/failed"
    fi
}

last_line() { { grep -v '^[-[:space:]]*$' "$1" 2>/dev/null || true; } | tail -n 1 | tr '\t|\r' '   ' | cut -c 1-200; }

# VMAF of all frames against the film, paired by their order whatever the timestamps say.
measure() { # variant
    local same='settb=1/25,setpts=N,format=yuv420p10le' judge
    if grep -qs "^$1"$'\t' "$dir/failed"; then return 0; fi
    judge="libvmaf=model=version=$model:n_threads=$(getconf _NPROCESSORS_ONLN):log_fmt=json:log_path=$1.vmaf"
    # In the folder, for its name may hold what a filter's options cannot.
    if ! (cd "$dir" && "$bin/ffmpeg" -nostdin -v error -i "$1.mkv" -i "$clip" -lavfi "[0:v:0]${same}[d];[1:$track]${same}[r];[d][r]$judge" \
        -an -sn -fps_mode passthrough -enc_time_base 1:25 -f null - >"$1.score.log" 2>&1) || [ ! -s "$dir/$1.vmaf" ]; then
        note "  libvmaf cannot score $1 on $(basename "$clip")"
        printf '%s\t%s\n' "$1" "$(last_line "$dir/$1.score.log")" >>"$dir/unscored"
    fi
}

# ---- all of them -----------------------------------------------------------------------------------------

bench_film() { # film
    local round i group groups=(drapto ab-av1 segments) variant
    clip=$(realpath "$1")
    dir=$work/target-$(name_of "$label-$(basename "$1")")
    results=$dir/results.tsv
    rm -rf "$dir" # nothing of an earlier run may pass for an output of this one
    mkdir -p "$dir"
    dir=$(realpath "$dir")
    : >"$results"
    for ((round = 0; round < N; round++)); do
        note "$(basename "$clip"), $label, round $((round + 1)) of $N"
        for ((i = 0; i < ${#groups[@]}; i++)); do
            group=${groups[(i + round) % ${#groups[@]}]}
            attempt "$group"
            # Its CRF is that of the search just before.
            if [ "$group" = drapto ]; then attempt plain; fi
            # After the very first run, drapto's.
            if [ $((round + i)) = 0 ]; then look_at_film; fi
        done
    done
    for variant in drapto plain ab-av1 segments; do measure "$variant"; done
    "$bin/ffprobe" -v error -select_streams "$track" -count_frames -show_entries stream=nb_read_frames:stream=avg_frame_rate -of json \
        "$clip" >"$dir/film.json" || true
    film_table
    dirs+=("$dir")
}

name_of() { printf '%s' "${1//[^A-Za-z0-9._-]/_}"; }

bench_target() { # films
    local film program k seen=' ' dirs=() names=()
    for film in "$@"; do
        [ -f "$film" ] || die "$film: no such file"
        [ -n "$(ffprobe -v error -select_streams v -show_entries stream=index -of csv=p=0 "$film" 2>/dev/null)" ] ||
            die "$film: ffprobe finds no picture in it"
        case $seen in *" $(name_of "$(basename "$film")") "*) die "two films are called $(basename "$film")" ;; esac
        seen+="$(name_of "$(basename "$film")") "
    done
    mkdir -p "$tools"
    fetch_ab_av1
    # All are made ready before the first is measured.
    for program in "${programs[@]}"; do
        label="SVT-AV1 $(drapto_svt_of "$program")"
        for k in ${names[@]+"${names[@]}"}; do [ "$k" != "$label" ] || label="$label, $program"; done
        names+=("$label")
        choose "$program" "$label"
    done
    for film in "$@"; do
        for k in "${!programs[@]}"; do
            [ ${#programs[@]} = 1 ] || choose "${programs[k]}" "${names[k]}"
            bench_film "$film"
        done
    done
    overall_tables ${dirs[@]+"${dirs[@]}"}
}
