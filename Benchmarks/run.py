#!/usr/bin/env python3
"""Boots nodes, has them measure themselves, and prints what came of it. See README.md."""
import argparse, json, os, signal, statistics, subprocess, sys, tempfile, time

sys.dont_write_bytecode = True  # nothing is written outside of .build
import figures
import storage
from cluster import COUNTED, LEAST_MEBIBYTES, SHARED_MEBIBYTES, Cluster, Trouble

JUMBO, STANDARD = 4352, 1514  # bytes of the largest frame
PEER_TRIES = 4
say = lambda text: print(text, file=sys.stderr, flush=True)


def spread(runs):
    """Medians of each figure with the smallest and largest."""
    if isinstance(runs[0], dict):
        return {key: spread([run[key] for run in runs]) for key in runs[0]}
    if isinstance(runs[0], bool):
        return all(runs)
    return {"median": statistics.median(runs), "min": min(runs), "max": max(runs)}


def instructions(o, nic):
    with Cluster(o.plurix, o.image, nic, JUMBO) as cluster:
        node = cluster.start("bench=instructions", LEAST_MEBIBYTES, COUNTED)
        node.wait("DONE")
        return figures.instructions(node.results, LEAST_MEBIBYTES, SHARED_MEBIBYTES * 256)


def together(o, nic, nodes, frame_bytes):
    with Cluster(o.plurix, o.image, nic, frame_bytes) as cluster:
        for _ in range(nodes):
            cluster.start(f"bench=cluster{nodes}")
        for node in cluster.nodes:
            node.wait("DONE")
        joined = [node.at["joined"] for node in cluster.nodes]
        return figures.together([node.results for node in cluster.nodes], joined)


def up(o):
    """Seconds until `plurix up` has three nodes; the first time fills libvirt's cache of what QEMU can do."""
    name = f"bench-{os.getpid()}"
    for _ in range(2):
        say("plurix up, three nodes")
        begin = time.monotonic()
        try:
            ran = subprocess.run([o.plurix, "up", "--volatile", "--name", name, "--nodes", "3"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            seconds = time.monotonic() - begin
        finally:
            subprocess.run([o.plurix, "down", "--force", "--name", name], capture_output=True)
        if ran.returncode != 0:
            raise Trouble(f"plurix up ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return round(seconds, 2)


def measure(o):
    result = {}
    for nic in o.nic:
        say(f"{nic}: instructions")
        result[nic] = {"instructions": instructions(o, nic)}
        for name, nodes, frame_bytes in (("nodes_2", 2, JUMBO), ("nodes_2_mtu_1500", 2, STANDARD),
                                         ("nodes_3", 3, JUMBO)):
            runs = []
            for run in range(o.runs):
                say(f"{nic}: {name}, run {run + 1} of {o.runs}")
                runs.append(together(o, nic, nodes, frame_bytes))
            result[nic][name] = spread(runs)
    return result


def measure_storage(o):
    """Saving to disk, with each card."""
    result = {}
    for nic in o.nic:
        parts = {"checkpoints": storage.table, "refetched": storage.refetched, "durable": storage.durable}
        parts.update({f"disturbance_{heap}": lambda *a, heap=heap: storage.disturbance(*a, heap)
                      for heap in (20, 640)})
        parts.update({f"lives_{heap}": lambda *a, heap=heap: storage.lives(*a, heap) for heap in (64, 640)})
        parts.update({"bank": storage.bank, "beyond_memory": storage.beyond_memory})
        result[nic] = {}
        for name, measure in parts.items():
            say(f"{nic}: storage, {name}")
            result[nic][name] = measure(o, nic, JUMBO)
    return result


def measure_peer(o):
    """The peer's own runner, with its switch between the nodes as ours is."""
    runner = os.path.join(os.path.abspath(o.peer), "run.py")
    if not os.path.exists(runner):
        raise Trouble(f"{runner} does not exist: PEER names the directory of linux-uffd-dsm")
    out = {cpu: {} for cpu in ("qemu64", "max")}
    with tempfile.TemporaryDirectory(prefix="peer-") as work:
        for cpu, results in out.items():
            for what in (["bench", "--segment", "--nodes", "2"], ["bench", "--nodes", "3"], ["instructions"]):
                results.update(run_peer(o, [sys.executable, runner, *what, "--runs", str(o.runs), "--cpu", cpu],
                                        work).get(cpu, {}))
    return out


def run_peer(o, command, work):
    """The peer takes its link to be lossless: when the host is busy and a frame is lost it waits for ever, and is run again."""
    file = os.path.join(work, "result.json")
    for _ in range(PEER_TRIES):
        if subprocess.run([*command, "--work", work, "--output", file], stdout=subprocess.DEVNULL).returncode == 0:
            with open(file) as text:
                return json.load(text)
        say("the peer failed; once more")
    raise Trouble(f"the peer failed {PEER_TRIES} times: {' '.join(command)}")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    build = os.path.join(os.path.dirname(here), ".build")
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--plurix", default=os.path.join(build, "release", "plurix"))
    a.add_argument("--image", default=os.path.join(build, "image", "node.elf"))
    a.add_argument("--nic", nargs="+", choices=["virtio", "rtl8139"], default=["virtio", "rtl8139"])
    a.add_argument("--without-storage", action="store_true", help="leave out what is measured of the store")
    a.add_argument("--only-storage", action="store_true", help="measure nothing else")
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--peer", help="directory of linux-uffd-dsm, which then runs back to back")
    a.add_argument("--output", default=os.path.join(build, "bench", "result.json"))
    o = a.parse_args()
    o.plurix, o.image = os.path.abspath(o.plurix), os.path.abspath(o.image)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result = {"runs": o.runs, "image_bytes": os.path.getsize(o.image)}
        if not o.only_storage:
            result.update({"up_s": up(o), "nodes": measure(o)})
        if not o.without_storage:
            result["storage"] = measure_storage(o)
        if o.peer:
            result["peer"] = measure_peer(o)
        result["goals"] = figures.goals(result)
    except Trouble as trouble:
        sys.exit(f"error: {trouble}")
    os.makedirs(os.path.dirname(os.path.abspath(o.output)), exist_ok=True)
    with open(o.output, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print(figures.table(result))
    say(f"written to {o.output}")


if __name__ == "__main__":
    main()
