#!/usr/bin/env python3
"""A batch as its user meets it: what a file costs beside its encode, memory, the second run, estimates.

    benches/batch.py [FOLDER OF FILMS]      default: the film folder of the shared clips

Prints a table of Markdown. `DRAPTO=<program>` names the program, default target/release/drapto; `ONLY=estimates,remembered`
measures these alone (overhead and second_run are the others). Whole runs of small films and of real ones: a quarter of an
hour. Nothing else should run beside it.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DRAPTO = os.environ.get("DRAPTO", str(ROOT / "target/release/drapto"))
FILMS = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "../shared/media/film").resolve()


def run(args, cache, on_event=None):
    """Runs the program; seconds, exit code and events, each with the time and the memory it came at."""
    env = dict(os.environ, XDG_CACHE_HOME=str(cache))
    begun = time.monotonic()
    with subprocess.Popen([DRAPTO, *args, "--events", "ndjson"], env=env, stdout=subprocess.PIPE, text=True) as child:
        events = []
        for line in child.stdout:
            event = json.loads(line)
            event["at"] = time.monotonic() - begun
            if event["event"] in ("file_done", "file_skipped"):
                event["rss"] = resident(child.pid)
            events.append(event)
    return time.monotonic() - begun, child.returncode, events


def resident(pid):
    """Bytes of a process in memory."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def small_films(folder, count):
    """Ten frames each, under names of their own."""
    clip = folder / "clip.mkv"
    subprocess.run([ROOT / "fixtures/make", "tenframes", clip], check=True, stdout=subprocess.DEVNULL)
    films = folder / f"films-{count}"
    films.mkdir()
    for number in range(count):
        shutil.copy(clip, films / f"{number:03}.mkv")
    return films


def overhead(work):
    films = small_films(work, 200)
    report = work / "report.json"
    args = ["batch", str(films), "--output-directory", str(work / "out"), "--crf", "50", "--preset", "13"]
    wall, code, events = run([*args, "--report", str(report)], work / "cache")
    assert code == 0, code
    items = json.loads(report.read_text())["items"]
    encodes = sum(item["report"]["wall_s"] for item in items)
    memory = [event["rss"] for event in events if event["event"] == "file_done"]
    late = memory[10:]
    print(f"| 200 films of ten frames: beside the encode | {1000 * (wall - encodes) / 200:.1f} ms a file |")
    print(f"| memory after the tenth film | {min(late) / 2**20:.0f} to {max(late) / 2**20:.0f} MiB, first tenth of them "
          f"{sum(late[:19]) / 19 / 2**20:.0f}, last {sum(late[-19:]) / 19 / 2**20:.0f} |")


def second_run(work):
    films = small_films(work, 100)
    args = ["batch", str(films), "--output-directory", str(work / "out100"), "--crf", "50", "--preset", "13"]
    run(args, work / "cache")
    wall, code, _ = run(args, work / "cache")
    assert code == 5, code
    print(f"| the same batch of 100 again | {wall:.2f} s |")


def estimates(work):
    """How far what is expected is from what it takes: before the first batch, and while it runs."""
    out, cache = work / "real", work / "cache-real"
    args = [str(FILMS), "--preset", "8"]
    plan = json.loads(subprocess.run([DRAPTO, "plan", *args, "--json"], env=dict(os.environ, XDG_CACHE_HOME=str(cache)),
                                     check=True, capture_output=True, text=True).stdout)
    costs = [(item.get("expected") or {}).get("seconds", 0.0) for item in plan["items"]]
    sizes = [(item.get("expected") or {}).get("bytes", 0) for item in plan["items"]]
    wall, _, events = run(["batch", *args, "--output-directory", str(out)], cache)
    done, running, errors = 0.0, {}, []
    for event in events:
        name, file = event["event"], event.get("file")
        if name in ("file_done", "file_failed", "file_skipped"):
            done += costs[file]
            running.pop(file, None)
        elif name == "progress" and event.get("done") is not None:
            running[file] = costs[file] * event["done"]
            part = (done + sum(running.values())) / sum(costs)
            if part > 0.1:
                left = event["at"] * (1 - part) / part
                errors.append(abs(left - (wall - event["at"])) / wall)
    written = sum(event["bytes_out"] for event in events if event["event"] == "file_done")
    print(f"| first estimate of the films' time | {sum(costs):.0f} s, it took {wall:.0f} s: {sum(costs) / wall:.2f} x |")
    print(f"| first estimate of their size | {sum(sizes) / written:.2f} x |")
    print(f"| ETA after the first tenth, mean error in parts of the whole | {100 * sum(errors) / max(len(errors), 1):.1f} % |")


def encodes(args, work, name, cache, target):
    """Encodes a run made and those it remembered, over all its films; its folder and its seconds."""
    out, report = work / name, work / f"{name}.json"
    wall, code, _ = run(["batch", *args, "--target-vmaf", target, "--output-directory", str(out), "--report", str(report)],
                        cache)
    assert code == 0, code
    quality = [item["report"]["quality"] for item in json.loads(report.read_text())["items"] if "report" in item]
    return sum(q["encodes_made"] for q in quality), sum(q["encodes_remembered"] for q in quality), out, wall


def remembered(work):
    """What is saved of the encodes of a first pass: by the same batch elsewhere, and at other targets."""
    args, cache = [str(FILMS), "--preset", "8"], work / "cache"
    first, none, reference, seconds = encodes(args, work, "first", cache, "93")
    assert none == 0, none
    print(f"| encodes of chunks and probes of the first pass at 93 | {first} in {seconds:.0f} s |")
    for target in ("93", "95", "90"):
        made, saved, out, seconds = encodes(args, work, f"then-{target}", cache, target)
        print(f"| then at {target} | {made} made, {saved} remembered: {100 * saved / first:.0f} % of the first pass, "
              f"{100 * saved / (made + saved):.0f} % of its own, {seconds:.0f} s |")
        if target == "93":
            same = all(path.read_bytes() == (out / path.name).read_bytes() for path in reference.glob("*.mkv"))
            print(f"| its files are those of the first pass | {'yes, to the byte' if same else 'NO'} |")


def main():
    print("| what | measured |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as work:
        parts = {part.__name__: part for part in (overhead, second_run, estimates, remembered)}
        for name in os.environ.get("ONLY", ",".join(parts)).split(","):
            part = parts[name]
            folder = pathlib.Path(work) / part.__name__
            folder.mkdir()
            part(folder)


if __name__ == "__main__":
    main()
