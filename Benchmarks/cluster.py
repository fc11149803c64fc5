"""A cluster for measuring: the segment and the arbiter of `plurix`, and nodes started straight from QEMU, because only
the benchmark gives them a kernel command line."""
import json, os, secrets, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time

LIMIT = 180  # seconds for one QEMU
COUNTED = "-icount shift=0,sleep=on -rtc base=2024-01-01,clock=vm -seed 1".split()
DEVICES = {"virtio": "virtio-net-pci,disable-legacy=on", "rtl8139": "rtl8139"}  # as MachineDefinition.swift
SHARED_MEBIBYTES = 64
MEMORY_MEBIBYTES = 64
LEAST_MEBIBYTES = 32  # what a node must work in
ARBITER = 0xF0


class Trouble(Exception):
    """What went wrong, for people."""


class Node:
    """One QEMU whose serial console is read as it comes."""

    def __init__(self, image, directory, nic, number, words, memory, extra=()):
        mac = f"02:50:4c:58:00:{number:02x}"
        command = ["timeout", "-k", "5", str(LIMIT), "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max",
                   "-machine", "pc", "-bios", "/usr/share/qemu/qboot.rom", "-nodefaults", "-no-user-config",
                   "-display", "none", "-m", str(memory), "-no-reboot", "-serial", "stdio",
                   "-netdev", f"dgram,id=n,local.type=unix,local.path={directory}/n{number},"
                              f"remote.type=unix,remote.path={directory}/s{number}",
                   "-device", f"{DEVICES[nic]},netdev=n,mac={mac},romfile=",
                   "-kernel", image, "-initrd", f"{directory}/n{number}.module", "-append", words, *extra]
        self.number, self.results, self.log, self.at = number, {}, [], {}
        self.event = threading.Condition()
        self.begin = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            now, line = time.monotonic() - self.begin, line.strip()
            with self.event:
                self.log.append(line)
                word, _, rest = line.partition(" ")
                if word == "RESULT":
                    key, _, value = rest.partition("=")
                    self.results[key] = int(value)
                elif word == "READY":
                    self.results.update({f"ready.{k}": int(v) for k, v in (p.split("=") for p in rest.split())})
                    self.at["joined" if "microseconds" in rest else "loop"] = now
                else:
                    self.at.setdefault(word, now)
                self.event.notify_all()
        with self.event:
            self.at.setdefault("END", time.monotonic() - self.begin)
            self.event.notify_all()

    def wait(self, mark):
        with self.event:
            self.event.wait_for(lambda: mark in self.at or "END" in self.at, LIMIT + 10)
            if mark not in self.at:
                raise Trouble(f"n{self.number} ended before {mark}:\n" + "\n".join(self.log[-20:]))
            return self.at[mark]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()  # timeout(1) passes it on to its QEMU
        self.process.wait()


class Cluster:
    """Use as `with Cluster(...) as cluster`; nothing is left behind."""

    def __init__(self, plurix, image, nic, frame_bytes, memory=MEMORY_MEBIBYTES, shared=SHARED_MEBIBYTES,
                 stored=False):
        self.plurix, self.image, self.nic, self.frame_bytes = plurix, image, nic, frame_bytes
        self.memory, self.shared, self.stored = memory, shared, stored
        self.nodes, self.processes = [], []

    def __enter__(self):
        self.base = tempfile.mkdtemp(prefix="plurix-bench-", dir="/tmp")
        self.directory = os.path.join(self.base, "bench")
        os.mkdir(self.directory, 0o700)
        try:
            self.describe()
            for name in ("segment", "arbiter"):
                self.launch(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in filter(None, self.nodes):
            node.stop()
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    def launch(self, name):
        """Starts a background process, and waits until it serves."""
        with open(f"{self.base}/{name}.log", "ab") as log:
            process = subprocess.Popen([self.plurix, name, self.directory], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=log)
        self.processes.append(process)
        self.ask(name, {"op": "status"})
        return process

    def describe(self):
        """cluster.json, as `plurix up` writes it (Sources/Control/ClusterDescription.swift)."""
        self.identifier, self.key = secrets.randbits(63), secrets.token_bytes(16)
        description = {
            "name": "bench", "identifier": self.identifier, "key": self.key.hex(), "nic": self.nic,
            "memoryMebibytes": self.memory, "sharedMebibytes": self.shared, "accelerator": "tcg",
            "connect": "qemu:///embed", "image": self.image, "maximumFrameBytes": self.frame_bytes,
            "storage": {"directory": f"{self.directory}/store", "isVolatile": not self.stored,
                        "keepCount": 10, "keepSeconds": 0, "checkpointSeconds": 0}}
        with open(f"{self.directory}/cluster.json", "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            json.dump(description, file)

    def ask(self, process, request):
        """One request on a control socket; waits until the process serves it."""
        end = time.monotonic() + 20
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as channel:
                    channel.settimeout(20)
                    channel.connect(f"{self.directory}/{process}.sock")
                    channel.sendall(json.dumps(request).encode() + b"\n")
                    answer = json.loads(channel.makefile().readline())
                    break
            except (OSError, ValueError):
                if time.monotonic() > end:
                    with open(f"{self.base}/{process}.log", errors="replace") as log:
                        raise Trouble(f"plurix {process} does not answer: {log.read()[-6000:]}")
                time.sleep(0.02)
        if "reply" not in answer:
            raise Trouble(f"plurix {process}: {answer}")
        return answer["reply"]

    def start(self, words, memory=None, extra=()):
        """Starts the next node, as `plurix add` does."""
        number = len(self.nodes) + 1
        self.ask("segment", {"op": "attach", "station": ARBITER})
        self.ask("segment", {"op": "attach", "station": number})
        self.nodes.append(None)
        return self.restart(number, words, memory, extra)

    def restart(self, number, words, memory=None, extra=()):
        """Starts a node whose machine is gone, or was never there; waits until it has joined."""
        running = [n for n, node in enumerate(self.nodes, 1) if n == number or node.process.poll() is None]
        self.ask("arbiter", {"op": "machines", "running": running, "paused": [], "isRestoring": False})
        with open(f"{self.directory}/n{number}.module", "wb") as file:  # Sources/Wire/BootModule.swift
            file.write(struct.pack("<8sQ16sQIHBB", b"PLURIX\0\1", self.identifier, self.key, secrets.randbits(64),
                                   self.shared * 256, self.frame_bytes, number, 0))
        node = Node(self.image, self.directory, self.nic, number, words, memory or self.memory, extra)
        self.nodes[number - 1] = node
        node.wait("joined")
        return node
