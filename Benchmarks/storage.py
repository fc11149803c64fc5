"""What it costs to keep the memory on disk: a cluster with a store, filled and saved."""
import os, signal, time

from cluster import Cluster, Trouble
import raw

PAGE = 4096
BEAT = 1500  # milliseconds of small commits before and after the writing


class Store:
    """A cluster whose arbiter has a store, and whose nodes answer raw frames."""

    def __init__(self, cluster, nodes):
        self.cluster = cluster
        self.arbiter = cluster.processes[1]
        self.numbers = list(range(1, nodes + 1))
        for _ in self.numbers:
            cluster.start("bench=host")
        end = time.monotonic() + 20
        while any(n["state"] != "joined" for n in self.status()["nodes"]):
            if time.monotonic() > end:
                raise Trouble(f"the nodes do not join: {self.status()}")
            time.sleep(0.02)

    def status(self):
        return self.cluster.ask("arbiter", {"op": "status"})

    def begin(self, program, *arguments, nodes=None):
        return self.cluster.ask("arbiter", {"op": "start", "program": program, "nodes": nodes or self.numbers,
                                            "arguments": [str(a) for a in arguments]})["job"]

    def job(self, job):
        reply = self.cluster.ask("arbiter", {"op": "job", "job": job})
        if reply.get("failure"):
            raise Trouble(f"a program failed: {reply['failure']}")
        return reply

    def end(self, job, seconds=120):
        end = time.monotonic() + seconds
        while True:
            reply = self.job(job)
            if reply["state"] == "finished":
                return reply
            if time.monotonic() > end:
                raise Trouble(f"a program does not end: {reply}")
            time.sleep(0.01)

    def run(self, program, *arguments, nodes=None):
        return self.end(self.begin(program, *arguments, nodes=nodes))

    def checkpoint(self):
        return self.cluster.ask("arbiter", {"op": "checkpoint"})

    def written(self):
        """Bytes that the arbiter has written to files since it was started."""
        with open(f"/proc/{self.arbiter.pid}/io") as file:
            return int(next(line for line in file if line.startswith("wchar")).split()[1])

    def quiet(self):
        """Waits until all is saved."""
        while True:
            status = self.status()
            if status["savedTime"] == status["commitTime"]:
                return status
            time.sleep(0.01)

    def computing(self):
        """Seconds of processor time that the nodes' machines have used."""
        return sum(processor_seconds(child_of(node.process.pid)) for node in self.cluster.nodes)

    def wait_for_rest(self):
        """Waits until the nodes sleep, who cannot say so while the arbiter does."""
        before = self.computing()
        while True:
            time.sleep(0.1)
            now = self.computing()
            if now - before < 0.02:
                return
            before = now

    def save(self, count, nodes, hook=None):
        """Has nodes write so many pages each while the arbiter sleeps, and then saves them all at once.

        Returns seconds, and what the arbiter tells of the largest of the rounds that it took.
        """
        self.quiet()
        job = self.begin("fill", count, "--beat", 200, nodes=nodes)
        while self.job(job)["state"] != "running":
            time.sleep(0.002)
        self.arbiter.send_signal(signal.SIGSTOP)
        self.wait_for_rest()
        if hook: hook()
        before = self.written()
        begin = time.monotonic()
        self.arbiter.send_signal(signal.SIGCONT)
        replies = []
        while self.written() - before < len(nodes) * count * PAGE:
            replies.append(self.checkpoint())
        seconds = time.monotonic() - begin
        self.end(job)
        return seconds, max(replies, key=lambda reply: reply["pages"])


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
