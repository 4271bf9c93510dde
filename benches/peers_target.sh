# shellcheck shell=bash
# The comparison at a quality target; a part of peers.sh, which sources it for --target.
#
#   drapto     drapto encode --target-vmaf
#   plain      drapto encode at one CRF, the mean of those the search ended on: what one encode costs
#   ab-av1     ab-av1 auto-encode on the whole film
#   segments   15 s stream-copied segments, two ab-av1 with 3 samples of 1 s at a time, put together again
#
# What each came to is measured afterwards by libvmaf in another program, over all frames, paired by their order:
# the mean, the worst 5 s, and how many of drapto's chunks are within ±0.5 of the target (harmonic mean), for everybody
# over the same stretches of film.

TARGET=${TARGET:-93}
tools=$work/tools

# ab-av1 and an ffmpeg with libsvtav1 and libvmaf: given by AB_AV1 and VMAF_FFMPEG, else fetched once.
fetch_tools() {
    mkdir -p "$tools"
    if [ -z "${AB_AV1:-}" ]; then
        AB_AV1=$tools/bin/ab-av1
        [ -x "$AB_AV1" ] || cargo install ab-av1 --locked --quiet --root "$tools" || die 'cannot install ab-av1'
    fi
    if [ -z "${VMAF_FFMPEG:-}" ]; then
        if ! compgen -G "$tools/imageio_ffmpeg/binaries/ffmpeg-*" >/dev/null; then
            python3 -m pip download --quiet --no-deps --dest "$tools" imageio-ffmpeg || die 'cannot fetch imageio-ffmpeg'
            python3 -m zipfile -e "$tools"/imageio_ffmpeg-*.whl "$tools"
            chmod +x "$tools"/imageio_ffmpeg/binaries/ffmpeg-*
        fi
        VMAF_FFMPEG=$(compgen -G "$tools/imageio_ffmpeg/binaries/ffmpeg-*" | head -n 1)
    fi
    # ab-av1 calls what is named ffmpeg.
    mkdir -p "$tools/path"
    ln -sf "$(realpath "$VMAF_FFMPEG")" "$tools/path/ffmpeg"
    case $("$tools/path/ffmpeg" -hide_banner -filters 2>/dev/null) in *' libvmaf '*) ;; *) die "$VMAF_FFMPEG has no libvmaf" ;; esac
}

run_target() {
    timed "$dir/drapto.time" "$dir/drapto.mkv" "$DRAPTO" encode --crop off "$clip" "$dir/drapto.mkv" --target-vmaf "$TARGET" \
        --preset "$PRESET" --overwrite --quiet --report "$dir/drapto.json" ${drapto_args[@]+"${drapto_args[@]}"}
    record_timed drapto
}

# After the first drapto run of a round, whose CRF it takes.
run_plain() {
    local crf
    crf=$(python3 -c 'import json, sys; print(round(json.load(open(sys.argv[1]))["quality"]["crf"]))' "$dir/drapto.json")
    timed "$dir/plain.time" "$dir/plain.mkv" "$DRAPTO" encode --crop off "$clip" "$dir/plain.mkv" --crf "$crf" \
        --preset "$PRESET" --overwrite --quiet
    record_timed plain
}

run_ab_av1() {
    timed "$dir/ab-av1.time" "$dir/ab-av1.mkv" env PATH="$(realpath "$tools/path"):$PATH" "$AB_AV1" auto-encode -i "$clip" -o "$dir/ab-av1.mkv" \
        --preset "$PRESET" --min-vmaf "$TARGET" --max-encoded-percent 1000 --cache false --temp-dir "$dir"
    record_timed ab-av1
}

run_segments() {
    rm -rf "$dir/segments"
    mkdir -p "$dir/segments/out"
    # shellcheck disable=SC2016
    CLIP=$clip DIR=$dir/segments AB=$(realpath "$AB_AV1") P=$PRESET V=$TARGET \
        timed "$dir/segments.time" "$dir/segments.mkv" env PATH="$(realpath "$tools/path"):$PATH" bash -c 'set -e
        ffmpeg -nostdin -v error -i "$CLIP" -map 0:v:0 -c copy -f segment -segment_time 15 -reset_timestamps 1 "$DIR/%04d.mkv"
        find "$DIR" -maxdepth 1 -name "*.mkv" | sort | xargs -P 2 -I{} sh -c '\''"$AB" auto-encode -i "$1" \
            -o "$DIR/out/$(basename "$1")" --preset "$P" --min-vmaf "$V" --max-encoded-percent 1000 --cache false \
            --samples 3 --sample-duration 1s --temp-dir "$DIR"'\'' sh {}
        for part in "$DIR"/out/*.mkv; do printf "file %s\n" "out/$(basename "$part")"; done >"$DIR/list"
        ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$DIR/list" -c copy "$DIR/../segments.mkv"'
    record_timed segments
}

record_timed() { # variant
    local wall cpu peak
    read -r wall cpu peak <"$dir/$1.time"
    record "$1" "$wall" "$cpu" "$peak" "$peak" "$dir/$1.mkv"
}

# VMAF of all frames against the clip, paired by their order whatever the timestamps say.
measure() { # variant
    local pair='[0:v]settb=1/25,setpts=N,format=yuv420p10le[d];[1:v]settb=1/25,setpts=N,format=yuv420p10le[r]'
    "$VMAF_FFMPEG" -nostdin -v error -i "$dir/$1.mkv" -i "$clip" -lavfi \
        "$pair;[d][r]libvmaf=model=version=vmaf_v0.6.1:n_threads=$(getconf _NPROCESSORS_ONLN):log_fmt=json:log_path=$dir/$1.vmaf" \
        -an -sn -fps_mode passthrough -enc_time_base 1:25 -f null - || die "cannot score $1"
}

target_table() {
    printf '\n### %s, target %s\n\n' "$(basename "$clip")" "$TARGET"
    printf 'drapto: SVT-AV1 %s. ab-av1: %s, %s, %s. Preset %s; medians of %s rounds on %s cores.\n\n' "$drapto_svt" \
        "$("$AB_AV1" --version)" "$("$VMAF_FFMPEG" -version | sed -n '1s/ Copyright.*//p')" "${ab_svt:-SVT-AV1 unknown}" \
        "$PRESET" "$N" "$(getconf _NPROCESSORS_ONLN)"
    python3 - "$dir" "$TARGET" "$(frame_rate)" <<'PY'
import json, statistics, sys

folder, target, rate = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
rows = [line.rstrip("\n").split("\t") for line in open(f"{folder}/results.tsv")]
report = json.load(open(f"{folder}/drapto.json"))
spans, first = [], 0
for chunk in report["chunks"]:
    spans.append((first, first + chunk["frames"], chunk["note"]))
    first += chunk["frames"]


def harmonic(scores):
    return len(scores) / sum(1 / (s + 1) for s in scores) - 1


def middle(variant, column):
    return statistics.median(float(r[column]) for r in rows if r[0] == variant)


def ratio(peer, column):
    mine = [float(r[column]) for r in rows if r[0] == "drapto"]
    other = [float(r[column]) for r in rows if r[0] == peer]
    return statistics.median(a / b for a, b in zip(mine, other))


print("| | wall s | CPU s | picture bytes | mean | harmonic mean | worst 5 s | chunks within ±0.5 | below −1 | wall ÷ | CPU ÷ |")
print("| --- " + "| ---: " * 10 + "|")
for variant in dict.fromkeys(r[0] for r in rows):
    scores = [f["metrics"]["vmaf"] for f in json.load(open(f"{folder}/{variant}.vmaf"))["frames"]]
    window = min(len(scores), round(5 * rate))
    sums = [sum(scores[i : i + window]) / window for i in range(0, len(scores) - window + 1, 4)]
    means = [harmonic(scores[a:b]) for a, b, _ in spans]
    within = sum(abs(m - target) <= 0.5 for m in means)
    low = sum(m < target - 1 for m in means)
    print(
        f"| {variant} | {middle(variant, 1):.1f} | {middle(variant, 2):.1f} | {middle(variant, 6):.0f} "
        f"| {statistics.mean(scores):.2f} | {harmonic(scores):.2f} | {min(sums):.2f} | {within} of {len(means)} "
        f"| {low} | {ratio(variant, 1):.2f} | {ratio(variant, 2):.2f} |"
    )
    if variant == "drapto":
        if len(scores) != first:
            sys.exit(f"{len(scores)} frames were scored, drapto's chunks have {first}")
        off = [(i, round(m, 2), n) for i, (m, (_, _, n)) in enumerate(zip(means, spans)) if abs(m - target) > 0.5]
q = report["quality"]
print(f"\n`÷` is drapto by that row, median within a round. drapto: {q['encodes_a_chunk']:.2f} encodes a frame, "
      f"{sum(len(c['tries']) == 1 for c in report['chunks'])} of {len(spans)} chunks encoded once.")
for i, score, note in off:
    print(f"drapto's chunk {i}: {score} over all frames{'; ' + note if note else ''}")
PY
}

frame_rate() {
    ffprobe -v error -select_streams v:0 -show_entries stream=avg_frame_rate -of csv=p=0 "$clip" |
        awk -F'[/,]' 'NR == 1 { printf "%.4f", $1 / $2 }'
}

bench_target() {
    local round variants=(drapto plain ab-av1 segments) variant
    clip=$1
    [ -f "$clip" ] || die "$clip: no such file"
    dir=$work/target-$(basename "$clip")
    results=$dir/results.tsv
    rm -rf "$dir" # nothing of an earlier run may pass for an output of this one
    mkdir -p "$dir"
    : >"$results"
    ab_svt=$({ "$VMAF_FFMPEG" -nostdin -hide_banner -f lavfi -i color=size=64x64:duration=0.1 -c:v libsvtav1 -f null - 2>&1 || true; } |
        sed -n 's/.*\(SVT-AV1\) Encoder Lib \(v[0-9.]*[0-9]\).*/\1 \2/p' | head -n 1)
    for ((round = 0; round < N; round++)); do
        note "$(basename "$clip"), round $((round + 1)) of $N"
        for variant in "${variants[@]}"; do
            case $variant in
                drapto) run_target ;;
                plain) run_plain ;;
                ab-av1) run_ab_av1 ;;
                segments) run_segments ;;
            esac
        done
    done
    for variant in "${variants[@]}"; do measure "$variant"; done
    target_table
}
