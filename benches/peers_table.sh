# shellcheck shell=bash
# shellcheck disable=SC2154 # set by peers.sh and peers_target.sh
# The tables of peers.sh --target; a part of peers_target.sh, which sources it.

# What one drapto and its peers came to on one film; leaves the numbers in summary.json for the tables over all films.
film_table() {
    printf '\n### %s, %s, target %s\n\n' "$(basename "$clip")" "$label" "$TARGET"
    printf '%s; %s, %s, all with SVT-AV1 %s. Preset %s, keyframes every %s frames, model %s; medians of %s rounds on %s cores, scores of the last.\n\n' \
        "$("$DRAPTO" --version)" "$ab_version" "$("$bin/ffmpeg" -version | sed -n '1s/ Copyright.*//p')" "$drapto_svt" \
        "$PRESET" "$keyint" "$model" "$N" "$(getconf _NPROCESSORS_ONLN)"
    python3 - "$dir" "$TARGET" "$(basename "$clip")" "$label" <<'PY'
import json, os, statistics, sys

folder, target, film, label = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
# Beginnings of the notes with which drapto says that no encode of a chunk has the score that was asked for.
UNREACHABLE = ("better than asked for even at", "the target cannot be met", "the source against itself", "no CRF lies nearer")


def table_of(name):
    path = f"{folder}/{name}"
    return [line.rstrip("\n").split("\t") for line in open(path)] if os.path.exists(path) else []


def load(name):
    path = f"{folder}/{name}"
    return json.load(open(path)) if os.path.exists(path) and os.path.getsize(path) else None


runs, failed, unscored = table_of("results.tsv"), dict(table_of("failed")), dict(table_of("unscored"))
report = load("drapto.json") if "drapto" not in failed else None
stream = ((load("film.json") or {}).get("streams") or [{}])[0]
source_frames = int(stream.get("nb_read_frames") or 0)
above, below = (float(x) for x in stream.get("avg_frame_rate", "25/1").split("/"))
rate = above / below if above and below else 25.0
chunks = report["chunks"] if report else []
spans, first = [], 0
for chunk in chunks:
    reachable = not (chunk["note"] or "").startswith(UNREACHABLE)
    spans.append((first, first + chunk["frames"], reachable))
    first += chunk["frames"]


def harmonic(scores):
    return len(scores) / sum(1 / (s + 1) for s in scores) - 1


def column(variant, index):
    return [float(r[index]) for r in runs if r[0] == variant]


def ratio(peer, index):
    pairs = [a / b for a, b in zip(column("drapto", index), column(peer, index)) if b]
    return statistics.median(pairs) if pairs else None


def number(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


rows, remarks = {}, []
for variant in ("drapto", "plain", "ab-av1", "segments"):
    if variant in failed:
        rows[variant] = {"state": "failed"}
        remarks.append(f"{variant} failed: {failed[variant] or 'see what was said above'}")
        continue
    row = rows[variant] = {"state": "", "frames": int(column(variant, 5)[-1])}
    for name, index in (("wall", 1), ("cpu", 2), ("peak", 3), ("bytes", 6)):
        row[name] = statistics.median(column(variant, index))
    for name, index in (("wall_ratio", 1), ("cpu_ratio", 2), ("bytes_ratio", 6)):
        row[name] = ratio(variant, index) if "drapto" not in failed else None
    scores = load(f"{variant}.vmaf") if variant not in unscored else None
    scores = [f["metrics"]["vmaf"] for f in scores["frames"]] if scores else None
    if not scores:
        row["state"] = "not scored"
        remarks.append(f"libvmaf cannot score {variant}: {unscored.get(variant) or 'without a word'}")
        continue
    if row["frames"] != source_frames or len(scores) != source_frames:
        row["state"] = "not paired"
        remarks.append(f"{variant} has {row['frames']} frames and the film {source_frames}: what stands beside what is unknown")
        continue
    window = max(1, min(len(scores), round(5 * rate)))
    total = sum(scores[:window])
    worst = total
    for i in range(window, len(scores)):
        total += scores[i] - scores[i - window]
        worst = min(worst, total)
    row.update(mean=statistics.mean(scores), harmonic=harmonic(scores), worst=worst / window)
    if first == len(scores):
        means = [harmonic(scores[a:b]) for a, b, _ in spans]
        near = [abs(m - target) <= 0.5 for m in means]
        row["within"] = sum(near)
        row["within_reachable"] = sum(n for n, (_, _, reachable) in zip(near, spans) if reachable)
        row["below"] = sum(m < target - 1 for m in means)
        if variant == "drapto":
            for i, (mean, close, (_, _, reachable)) in enumerate(zip(means, near, spans)):
                if not close:
                    kind = "" if reachable else ", not reachable"
                    note = chunks[i]["note"]
                    remarks.append(f"drapto's chunk {i}: {mean:.2f} over all frames{kind}{'; ' + note if note else ''}")
    elif variant == "drapto" and report:
        remarks.append(f"drapto's chunks have {first} frames and the film {len(scores)}: no chunk is counted")

reachable = sum(r for _, _, r in spans)
print("| | wall s | CPU s | peak MiB | picture bytes | mean | harmonic mean | worst 5 s | chunks within ±0.5 | of the reachable | below −1 "
      "| wall ÷ | CPU ÷ | bytes ÷ |")
print("| --- " + "| ---: " * 13 + "|")
for variant, row in rows.items():
    cells = [number(row.get("wall"), 1), number(row.get("cpu"), 1), number(row["peak"] / 1024 if "peak" in row else None, 0)]
    cells += [number(row.get("bytes"), 0), number(row.get("mean"), 2), number(row.get("harmonic"), 2), number(row.get("worst"), 2)]
    cells += [f"{row['within']} of {len(spans)}", f"{row['within_reachable']} of {reachable}", str(row["below"])] if "within" in row else [""] * 3
    cells += [number(row.get(name), 2) for name in ("wall_ratio", "cpu_ratio", "bytes_ratio")]
    if row["state"]:
        cells[0 if row["state"] == "failed" else 4] = row["state"]
    print(f"| {variant} | " + " | ".join(cells) + " |")
print("\n`÷` is drapto by that row, median within a round. Peaks are of the largest process.", end="")
quality, first_try = (report or {}).get("quality") or {}, None
encodes = quality.get("encodes_a_chunk")
if report:
    first_try = sum(len(c["tries"]) == 1 for c in chunks)
    print(f" drapto: {first_try} of {len(spans)} chunks kept their first try, {encodes or 0:.2f} encodes a frame; "
          f"plain: CRF {(table_of('plain.crf') or [['unknown']])[0][0]}.", end="")
print("\n" + "".join(f"\n- {remark}" for remark in remarks))
summary = {"film": film, "label": label, "target": target, "rows": rows, "chunks": len(spans), "reachable": reachable}
summary.update(first_try=first_try, encodes=encodes, frames=first)
json.dump(summary, open(f"{folder}/summary.json", "w"))
PY
}

# Over all films: one row for each program, and one line for each film.
overall_tables() { # folders
    [ $# -gt 0 ] || return 0
    python3 - "$@" <<'PY'
import json, math, sys

films = [json.load(open(f"{folder}/summary.json")) for folder in sys.argv[1:]]
VARIANTS = ("drapto", "plain", "ab-av1", "segments")


def middle(values):
    values = [v for v in values if v]
    return f"{math.exp(sum(map(math.log, values)) / len(values)):.2f}" if values else ""


def cell(film, text):
    rows = (film["rows"][v] for v in VARIANTS)
    return " / ".join(text(row) or row["state"] or "–" for row in rows)


for label in dict.fromkeys(f["label"] for f in films):
    of_label = [f for f in films if f["label"] == label]
    # Sums compare only where everybody has the same films in them.
    usable = [v for v in VARIANTS if any(f["rows"][v].get("within") is not None for f in of_label)]
    common = [f for f in of_label if usable and all(f["rows"][v].get("within") is not None for v in usable)]
    print(f"\n### All films, {label}, target {of_label[0]['target']:g}\n")
    print(f"Of each column with strokes: {' / '.join(VARIANTS)}.\n")
    print("| film | wall s | picture MB | reachable chunks within ±0.5, of | | drapto ÷ ab-av1, wall | first try | encodes a frame | peak MiB |")
    print("| --- " + "| ---: " * 8 + "|")
    for f in of_label:
        cells = [cell(f, lambda row: f"{row['wall']:.1f}" if "wall" in row else "")]
        cells += [cell(f, lambda row: f"{row['bytes'] / 1e6:.2f}" if "bytes" in row else "")]
        cells += [cell(f, lambda row: str(row["within_reachable"]) if "within" in row else ""), str(f["reachable"])]
        quotient = f["rows"]["ab-av1"].get("wall_ratio")
        cells += [f"{quotient:.2f}" if quotient else ""]
        cells += [f"{f['first_try']} of {f['chunks']}", f"{f['encodes'] or 0:.2f}"] if f["first_try"] is not None else ["", ""]
        peak = f["rows"]["drapto"].get("peak")
        cells += [f"{peak / 1024:.0f}" if peak else ""]
        print(f"| {f['film']} | " + " | ".join(cells) + " |")
    if not common:
        print("\nNo film has a score of everybody: there is nothing to sum up.")
        continue
    chunks, reachable = sum(f["chunks"] for f in common), sum(f["reachable"] for f in common)
    print(f"\n{len(common)} of {len(of_label)} films together; of a ratio the geometric mean over films:\n")
    print("| | wall s | CPU s | picture MB | harmonic mean | worst 5 s | chunks within ±0.5 | of the reachable | below −1 | wall ÷ | CPU ÷ | bytes ÷ |")
    print("| --- " + "| ---: " * 11 + "|")
    for v in usable:
        rows = [f["rows"][v] for f in common]
        total = {name: sum(r[name] for r in rows) for name in ("wall", "cpu", "bytes", "within", "within_reachable", "below")}
        mean = sum(r["harmonic"] * f["frames"] for r, f in zip(rows, common)) / sum(f["frames"] for f in common)
        print(f"| {v} | {total['wall']:.1f} | {total['cpu']:.1f} | {total['bytes'] / 1e6:.2f} | {mean:.2f} | {min(r['worst'] for r in rows):.2f} "
              f"| {total['within']} of {chunks} | {total['within_reachable']} of {reachable} | {total['below']} "
              f"| {middle([r['wall_ratio'] for r in rows])} | {middle([r['cpu_ratio'] for r in rows])} | {middle([r['bytes_ratio'] for r in rows])} |")
    encoded = sum(f["encodes"] * f["frames"] for f in common if f["encodes"])
    print(f"\ndrapto: {sum(f['first_try'] for f in common)} of {chunks} chunks kept their first try, "
          f"{encoded / sum(f['frames'] for f in common):.2f} encodes a frame.")
    left = [f["film"] + ": " + ", ".join(f"{v} {f['rows'][v]['state'] or 'without chunks'}" for v in VARIANTS
                                        if f["rows"][v].get("within") is None) for f in of_label if f not in common]
    if left or len(usable) < len(VARIANTS):
        print("Not in the sums: " + "; ".join(left + [f"{v} everywhere" for v in VARIANTS if v not in usable]) + ".")
PY
}
