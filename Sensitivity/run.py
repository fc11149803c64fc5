#!/usr/bin/env python3
"""run.py [BUG]: does the simulation find each planted bug? Prints a table, and at the end `caught N of M`.

Each bug first meets the seed that is known to catch it; with FRESH=1 in the environment, or where that seed does not
catch it any more, fresh seeds, at most SEEDS (500) of them. A process that traps, hangs or eats all memory has caught
it too. Without any bug no seed may fail: else the table would prove nothing. BUG, a name or a number, is run alone.
Exit code 0 when every bug was caught and the clean runs were clean. `--note-seeds` writes what caught a bug into the
lists.
"""
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import selectors
import subprocess
import sys
import time

import plant

SIMULATE = plant.ROOT / ".build/planted/.build/release/simulate"
MOST_SEEDS = int(os.environ.get("SEEDS") or 500)
IS_FRESH = bool(os.environ.get("FRESH"))
CLEAN_SEEDS = 200
# A seed takes a tenth of a second, some take seconds.
LONGEST_SILENCE = 60
MOST_MEMORY = 3 << 30
# Seeds that fail although nothing is planted.
FAULTS = []


class Catch:
    def __init__(self, seed, check, text):
        self.seed, self.check, self.text = seed, check, text


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)


def run_seeds(number, first, count):
    """Runs seeds until one fails; the failure, or None."""
    environment = dict(os.environ, PLANTED=str(number), SWIFT_BACKTRACE="enable=no")
    words = [str(SIMULATE), "--from", str(first), "--seeds", str(count), "--stride", "1"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               preexec_fn=limit)
    try:
        return listen(process, first)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def listen(process, seed):
    """Follows what a process reports of its seeds; the first failure, or None when all were sound."""
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    unfinished, last_words, is_at_seed = b"", "", False
    while True:
        if not selector.select(LONGEST_SILENCE):
            return Catch(seed, "hang", f"no end after {LONGEST_SILENCE} s")
        data = os.read(process.stdout.fileno(), 1 << 16)
        if not data:
            code = process.wait()
            if is_at_seed or code != 0:
                return Catch(seed, "trap", last_words or f"ended with {code}")
            return None
        *lines, unfinished = (unfinished + data).split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").split(" ", 3)
            if words[0] == "begin":
                seed, is_at_seed = int(words[1]), True
            elif words[0] == "sound":
                is_at_seed = False
            elif words[0] == "failed":
                return Catch(seed, words[2], words[3])
            else:
                last_words = " ".join(words)


def hunt(bug, first):
    """Looks for a seed that catches the bug: the catch, how many seeds it took, seconds."""
    begun, tried = time.monotonic(), 0
    if bug.seed is not None and not IS_FRESH:
        catch, tried = run_seeds(bug.number, bug.seed, 1), 1
        if catch and is_of_bug(catch):
            return catch, tried, time.monotonic() - begun
    while tried < MOST_SEEDS:
        catch = run_seeds(bug.number, first, MOST_SEEDS - tried)
        if catch is None:
            return None, MOST_SEEDS, time.monotonic() - begun
        tried += catch.seed - first + 1
        if is_of_bug(catch):
            return catch, tried, time.monotonic() - begun
        first = catch.seed + 1
    return None, tried, time.monotonic() - begun


def is_of_bug(catch):
    """Whether the seed is sound when nothing is planted: else it proves nothing, and is a failure of its own."""
    fault = run_seeds(0, catch.seed, 1)
    if fault:
        FAULTS.append(fault)
    return fault is None


def short(text, width):
    return text if len(text) <= width else text[:width - 1] + "…"


def row(bug, catch, tried, seconds):
    verdict = f"{catch.check}: {catch.text}" if catch else f"NOT CAUGHT in {tried} seeds"
    seed = str(catch.seed) if catch else ""
    return (f"{bug.number:3} {bug.name:20} {short(bug.title, 58):58} {seed:>10} {tried:5} {seconds:6.1f}  "
            f"{short(verdict, 80)}")


def note_seed(bug, catch, *_):
    """Writes the seed into the bug's list."""
    if not catch:
        return
    for path in plant.LISTS.glob("*.bugs"):
        text = path.read_text()
        noted = re.sub(rf"^(# {re.escape(bug.name)}: .*\n)(?:seed \d+\n)?", rf"\g<1>seed {catch.seed}\n", text,
                       flags=re.M)
        if noted != text:
            path.write_text(noted)


def main(words):
    is_noting = "--note-seeds" in words
    names = [word for word in words if word != "--note-seeds"]
    bugs = plant.read_bugs()
    if names:
        bugs = [bug for bug in bugs if bug.name in names or str(bug.number) in names]
        if len(bugs) != len(names):
            plant.stop(f"not all of these are planted: {' '.join(names)}")
    first = random.randrange(1, 1_000_000_000)
    print("fresh seeds" if IS_FRESH else "the seeds that are known to catch them, then fresh ones",
          f"from {first}, at most {MOST_SEEDS} for each bug", flush=True)
    print(f"  # {'bug':20} {'what is wrong':58} {'seed':>10} seeds      s  caught by", flush=True)
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        clean = pool.submit(run_seeds, 0, first, CLEAN_SEEDS) if not names else None
        hunts = {pool.submit(hunt, bug, first): bug for bug in bugs}
        waiting = {bug.number: None for bug in bugs}
        for done in concurrent.futures.as_completed(hunts):
            waiting[hunts[done].number] = (hunts[done], *done.result())
            # In order, as soon as it can be.
            while waiting and (result := waiting[min(waiting)]):
                del waiting[min(waiting)]
                results.append(result)
                print(row(*result), flush=True)
                if is_noting:
                    note_seed(*result)
        if clean and clean.result():
            FAULTS.append(clean.result())
    if names and len(results) == 1 and results[0][1]:
        catch = results[0][1]
        print(f"{catch.check}: {catch.text}\n"
              f"replay: PLANTED={results[0][0].number} {SIMULATE.relative_to(plant.ROOT)} {catch.seed} --trace")
    for fault in {fault.seed: fault for fault in FAULTS}.values():
        print(f"with nothing planted seed {fault.seed} FAILED {fault.check}: {fault.text}")
    if clean and not FAULTS:
        print(f"with nothing planted: {CLEAN_SEEDS} seeds, 0 failed")
    caught = sum(1 for result in results if result[1])
    print(f"caught {caught} of {len(results)}")
    return 0 if caught == len(results) and not FAULTS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
