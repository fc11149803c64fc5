"""What it costs to keep the memory on disk: clusters with a store, filled, saved, killed and begun again."""
import os, signal, statistics, struct, time

from cluster import Cluster, Trouble
import raw

PAGE = 4096
MEBIBYTES = 1 << 20
# The paper's ten checkpoints (table of its section 6): nodes, and of each that writes, its number and megabytes. Of the
# seventh, 28 and 32, both write the mean.
PAPER = [(1, {1: 20}), (1, {1: 40}), (1, {1: 60}), (1, {1: 80}), (3, {1: 60}), (3, {1: 20, 2: 20, 3: 20}),
         (3, {2: 30, 3: 30}), (3, {1: 40, 2: 40, 3: 40}), (3, {1: 48, 2: 48, 3: 48}), (3, {1: 60, 2: 60, 3: 60})]


class Stored:
    """A cluster whose arbiter has a store, and whose nodes answer raw frames. Use as `with Stored(...) as stored`."""

    def __init__(self, o, nic, frame_bytes, nodes, memory=256, shared=256, stored=True):
        self.cluster = Cluster(o.plurix, o.image, nic, frame_bytes, memory, shared, stored)
        self.count = nodes

    def __enter__(self):
        self.cluster.__enter__()
        try:
            self.arbiter = self.cluster.processes[1]
            for _ in range(self.count):
                self.cluster.start("bench=host")
            self.wait(lambda: all(node["state"] == "joined" for node in self.status()["nodes"]), "the nodes to join")
        except BaseException:
            self.cluster.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.arbiter.poll() is None:
            self.arbiter.send_signal(signal.SIGCONT)
        self.cluster.__exit__()

    def wait(self, condition, what, seconds=120, interval=0.01):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Trouble(f"waited {seconds} s for {what}: {self.status()}")
            time.sleep(interval)

    def ask(self, operation, **request):
        return self.cluster.ask("arbiter", {"op": operation, **request})

    def status(self):
        return self.ask("status")

    def begin(self, program, *arguments, nodes=None):
        """Starts a program and waits until its nodes are at it."""
        job = self.ask("start", program=program, arguments=[str(a) for a in arguments],
                       nodes=nodes or list(range(1, self.count + 1)))["job"]
        self.wait(lambda: self.job(job)["state"] in ("running", "saving", "finished"), program, interval=0.002)
        return job

    def job(self, job):
        reply = self.ask("job", job=job)
        if reply.get("failure"):
            raise Trouble(f"a program failed: {reply['failure']}")
        return reply

    def end(self, job):
        self.wait(lambda: self.job(job)["state"] == "finished", "a program to end")
        return self.job(job)

    def run(self, program, *arguments, nodes=None):
        return self.end(self.begin(program, *arguments, nodes=nodes))

    def stop(self):
        self.ask("stopProgram")
        self.wait(lambda: not self.status().get("running"), "a program to stop")

    def quiet(self):
        """Waits until all is saved, and what was saved before is read."""
        self.wait(lambda: (lambda s: s["savedTime"] == s["commitTime"] and not s.get("unreadPages"))(self.status()),
                  "everything to be saved and read")

    def written(self):
        """Bytes that the arbiter has written to files since it was started."""
        with open(f"/proc/{self.arbiter.pid}/io") as file:
            return int(next(line for line in file if line.startswith("wchar")).split()[1])

    def wait_for_rest(self):
        """Waits until the machines compute nothing more: they cannot say so while the arbiter sleeps."""
        used = lambda: sum(processor_seconds(child_of(node.process.pid)) for node in self.cluster.nodes)
        before, now = -1, used()
        while now - before > 0.02:
            time.sleep(0.1)
            before, now = now, used()

    def save(self, count, nodes, beat=200, rest=None):
        """Has nodes write so many pages each while the arbiter sleeps, and then saves them all at once.

        Of the rounds that this takes the arbiter's word on the largest counts.

        - beat: milliseconds of small commits before the writing, in which the arbiter falls asleep, and after it.
        - rest: seconds until it wakes; nil: when all computing has ended.
        """
        self.quiet()
        job = self.begin("fill", count, "--beat", beat, nodes=nodes)
        self.arbiter.send_signal(signal.SIGSTOP)
        if rest is None:
            self.wait_for_rest()
        else:
            time.sleep(rest)
        before, begin = self.written(), time.monotonic()
        self.arbiter.send_signal(signal.SIGCONT)
        replies = []
        while self.written() - before < len(nodes) * count * PAGE:
            replies.append(self.ask("checkpoint"))
        seconds = time.monotonic() - begin
        largest = max(replies, key=lambda reply: reply["pages"])
        return {"seconds": seconds, "bytes": largest["bytes"] / (largest["pages"] * PAGE),
                "flushes": largest["flushes"], "result": self.end(job)["result"]}


def child_of(process):
    """The one that timeout(1) runs."""
    with open(f"/proc/{process}/task/{process}/children") as file:
        return int(file.read().split()[0])


def processor_seconds(process):
    total = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


# MARK: Bandwidth

def table(o, nic, frame_bytes, rows=PAPER):
    """The paper's checkpoints, each beside its two raw paths, in turns."""
    out = {}
    for nodes in sorted({nodes for nodes, _ in rows}):
        with Stored(o, nic, frame_bytes, nodes) as stored:
            # Pages that a machine never touched cost it time which no later run has.
            stored.run("fill", 60 * MEBIBYTES // PAGE)
            for number, (count, megabytes) in enumerate(rows, 1):
                if count == nodes:
                    out[f"{number}"] = row(o, stored, megabytes)
    return dict(sorted(out.items(), key=lambda item: int(item[0])))


def row(o, stored, megabytes):
    pages = {node: size * MEBIBYTES // PAGE for node, size in megabytes.items()}
    total = sum(pages.values()) * PAGE
    runs = []
    for _ in range(o.runs):
        network = total / raw.stream(stored.cluster, pages) / 1e6
        disk = total / raw.write(stored.cluster.directory, total) / 1e6
        saved = stored.save(max(pages.values()), list(pages))
        speed = total / saved["seconds"] / 1e6
        runs.append({"nodes": stored.count, "mb": sum(megabytes.values()), "mb_per_s": round(speed, 1),
                     "network_mb_per_s": round(network, 1), "disk_mb_per_s": round(disk, 1),
                     "over_network": round(speed / network, 3), "over_disk": round(speed / disk, 3),
                     "over_slower": round(speed / min(network, disk), 3), "bytes_per_dirty_byte": saved["bytes"],
                     "flushes": saved["flushes"]})
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


# MARK: What it does to the nodes

def disturbance(o, nic, frame_bytes, heap_mebibytes, dirty_mebibytes=100):
    """A node commits small things while much of a heap is saved: its longest pause and what it still gets done."""
    heap, dirty = (size * MEBIBYTES // PAGE for size in (heap_mebibytes, dirty_mebibytes))
    with Stored(o, nic, frame_bytes, 1, memory=512, shared=1024) as stored:
        stored.run("fill", max(heap, dirty))
        stored.run("fill", dirty)
        filling = stored.run("fill", dirty)["result"]["perNode"][0]["nanoseconds"] / 1e9
        runs = []
        # The host's scheduler makes pauses too: one save of nine may have three times the usual one.
        for _ in range(3 * o.runs):
            # Beats go on for as long again as the arbiter sleeps; a node that cannot keep more would stop.
            saved = stored.save(dirty, [1], beat=1200, rest=1.4 + 1.5 * filling)
            before, after = (saved["result"]["perNode"][0][part] for part in ("before", "after"))
            runs.append({"checkpoint_ms": saved["seconds"] * 1e3,
                         "longest_pause_ms": after["longestPauseNanoseconds"] / 1e6,
                         "longest_pause_without_ms": before["longestPauseNanoseconds"] / 1e6,
                         "pause_share": after["longestPauseNanoseconds"] / 1e9 / saved["seconds"]})
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def bank(o, nic, frame_bytes):
    """`bank` on two nodes: commits while checkpoints are asked for one after the other, and while none is, in turns; and
    how long after its commit a transaction is on the disk."""
    with Stored(o, nic, frame_bytes, 2, memory=64, shared=64) as stored:
        ratios = []
        for _ in range(4 * o.runs):
            during, without = bank_rate(stored, True), bank_rate(stored, False)
            ratios.append({"commits_per_s": during, "without_per_s": without, "throughput": during / without})
        stored.begin("bank", "--transfers", 1_000_000_000)
        windows = [{**loss_window(stored), **raw.flushes(stored.cluster.directory)} for _ in range(o.runs)]
        stored.stop()
        return {key: statistics.median(run[key] for run in runs) for runs in (ratios, windows) for key in runs[0]}


def bank_rate(stored, takes_checkpoints, seconds=0.6):
    """Commits a second."""
    stored.begin("bank", "--transfers", 1_000_000_000)
    time.sleep(0.2)
    begin, first = time.monotonic(), stored.status()["commitTime"]
    while time.monotonic() < begin + seconds:
        if takes_checkpoints:
            stored.ask("checkpoint")
        time.sleep(0.01)
    rate = (stored.status()["commitTime"] - first) / (time.monotonic() - begin)
    stored.stop()
    return rate


def loss_window(stored, seconds=2):
    """Milliseconds since the moment of which the saved state is: what a power cut would cost."""
    seen, ages = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status, now = stored.status(), time.monotonic()
        seen.append((now, status["commitTime"]))
        # The first commit that is not saved was there when a later time was first seen, or just before.
        unsaved = next((at for at, time_ in seen if time_ > status["savedTime"]), now)
        ages.append((now - unsaved) * 1e3)
        seen = [entry for entry in seen if entry[1] > status["savedTime"]] or seen[-1:]
    ages.sort()
    return {"window_median_ms": ages[len(ages) // 2], "window_p99_ms": ages[len(ages) * 99 // 100],
            "window_most_ms": ages[-1]}


def durable(o, nic, frame_bytes):
    """A commit that waits for the disk, against one raw round trip and one flush of as many bytes, in turns."""
    with Stored(o, nic, frame_bytes, 1, memory=64, shared=64) as stored:
        stored.run("counter", 20, "--durable")
        ratios, commits, floors = [], [], []
        size = None
        # Short turns: the disk of a shared machine takes 60 us for a flush at one time and 4 ms at another.
        for _ in range(8 * o.runs):
            before = stored.written()
            short = stored.run("counter", 5, "--durable")["elapsedMicroseconds"]
            between = stored.written()
            long = stored.run("counter", 45, "--durable")["elapsedMicroseconds"]
            # In some turns zeros were written ahead: the raw flush is of a commit's own bytes.
            written = (stored.written() - between - (between - before)) // 40
            size = min(size or written, written)
            commit = (long - short) / 40
            floor = raw.trip_and_flush(stored.cluster, 1, size, 40) * 1e6
            commits.append(commit)
            floors.append(floor)
            ratios.append(commit / floor)
        return {"commit_us": statistics.median(commits), "raw_us": statistics.median(floors), "bytes": size,
                "ratio": statistics.median(ratios)}


def refetched(o, nic, frame_bytes):
    """Page requests of the arbiter for a checkpoint when all is saved already."""
    with Stored(o, nic, frame_bytes, 2) as stored:
        stored.run("fill", 2000)
        stored.quiet()
        path = f"{stored.cluster.base}/frames"
        stored.cluster.ask("segment", {"op": "capture", "file": path})
        pages = stored.ask("checkpoint")["pages"]
        stored.cluster.ask("segment", {"op": "capture"})
        return {"page_requests": requests(path), "pages": pages}


def requests(path, kind=32):
    """Frames of the arbiter's with this kind in a capture (Sources/Segment/Capture.swift)."""
    count = 0
    with open(path, "rb") as file:
        file.read(24)
        while head := file.read(16):
            frame = file.read(struct.unpack("<IIII", head)[2])
            count += frame[12:14] == b"\x88\xb5" and frame[17] == kind and frame[18] == 0xF0
    return count


# MARK: Lives

def lives(o, nic, frame_bytes, heap_mebibytes):
    """A node that crashes comes back; a cluster that died as a whole begins again from its store."""
    with Stored(o, nic, frame_bytes, 2, memory=256, shared=1024) as stored:
        cluster = stored.cluster
        pages = heap_mebibytes * MEBIBYTES // PAGE
        stored.run("fill", pages // 2)

        def end(number):
            os.kill(child_of(cluster.nodes[number - 1].process.pid), signal.SIGKILL)
            stored.ask("died", node=number)

        def joined(number):
            stored.wait(lambda: next(n["state"] for n in stored.status()["nodes"] if n["number"] == number) == "joined",
                        "a node to join")
            stored.quiet()

        # In turns, as a machine takes 60 ms to boot at one time and 120 at another; who joins cold was never there.
        cold, rejoined = [], []
        stored.quiet()
        for _ in range(2 * o.runs + 1):
            begin = time.monotonic()
            cluster.start("bench=host")
            cold.append(time.monotonic() - begin)
            joined(len(cluster.nodes))
            end(len(cluster.nodes))
            stored.quiet()
            begin = time.monotonic()
            end(2)
            cluster.restart(2, "bench=host")
            rejoined.append(time.monotonic() - begin)
            joined(2)
        restarts = []
        for _ in range(o.runs):
            stored.quiet()
            for node in cluster.nodes[:2]:
                os.kill(child_of(node.process.pid), signal.SIGKILL)
            stored.arbiter.kill()
            stored.arbiter.wait()
            begin = time.monotonic()
            stored.arbiter = cluster.launch("arbiter")
            for number in (1, 2):
                stored.ask("died", node=number)
            node = cluster.restart(1, "bench=host")
            restarts.append(time.monotonic() - begin - node.at["loop"])
            cluster.restart(2, "bench=host")
            joined(2)
        cold, rejoined = statistics.median(cold), statistics.median(rejoined)
        return {"cold_join_s": cold, "rejoin_s": rejoined, "rejoin_over_cold": rejoined / cold,
                "restart_s": statistics.median(restarts)}


def beyond_memory(o, nic, frame_bytes):
    """Pages of a heap larger than both nodes' memory that were written and came back with the right contents."""
    with Stored(o, nic, frame_bytes, 2, memory=32, shared=160) as stored:
        result = stored.run("fill", 12500, "--verify")["result"]["perNode"]
        return {"memory_mebibytes": 64, "heap_mebibytes": round(25000 * PAGE / MEBIBYTES, 1),
                "pages": sum(node["pagesVerified"] for node in result)}
