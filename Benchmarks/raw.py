"""The two raw paths of a checkpoint: what the segment carries, and what the disk takes, of as many pages."""
import contextlib, os, select, socket, time

STATION = 0xF1  # of the host, which takes raw frames here
PAGE = 4096
ETHER_TYPE, ANSWER, SHORTEST, PAGES = b"\x88\xb6", 0, 1, 3  # Sources/Node/RawEcho.swift
PIECE_HEAD = 72 + 32  # Sources/Wire/PageMessages.swift: bytes of a frame that are not the page's
BURST = 16  # pages a request
WINDOW = 4  # requests under way, each node


def address(station):
    return bytes((0x02, 0x50, 0x4C, 0x58, 0x00, station))


@contextlib.contextmanager
def station(cluster):
    """A host's station on the segment."""
    cluster.ask("segment", {"op": "attach", "station": STATION})
    path = f"{cluster.directory}/n{STATION}"
    if os.path.exists(path):
        os.unlink(path)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            link.bind(path)
            link.connect(f"{cluster.directory}/s{STATION}")
            yield link
    finally:
        # Its port knows the socket, and would take nothing from the next one.
        cluster.ask("segment", {"op": "detach", "station": STATION})


def request(node, kind, count=0):
    return address(node) + address(STATION) + ETHER_TYPE + bytes((kind, count)) + bytes(44)


def trip_and_flush(cluster, node, byte_count, rounds):
    """Seconds for a short frame and its answer, and then to append so many bytes to a file and flush them; the mean."""
    path, portion = f"{cluster.directory}/raw", os.urandom(byte_count)
    try:
        with station(cluster) as link, open(path, "wb", buffering=0) as file:
            link.settimeout(5)
            begin = time.monotonic()
            for _ in range(rounds):
                link.send(request(node, SHORTEST))
                while link.recv(64)[12:14] != ETHER_TYPE:
                    pass
                file.write(portion)
                os.fdatasync(file.fileno())
            return (time.monotonic() - begin) / rounds
    finally:
        os.unlink(path)


def stream(cluster, pages):
    """Seconds for so many pages of each node, without protocol and tags. `pages`: of each node number, how many."""
    with station(cluster) as link:
        link.setblocking(False)
        return Receiver(cluster, link, pages).run()


class Receiver:
    def __init__(self, cluster, link, pages):
        self.link, self.pages = link, pages
        most = min(PAGE, (cluster.frame_bytes - PIECE_HEAD) & ~7)
        self.pieces = -(-PAGE // most)
        self.buffer = memoryview(bytearray(cluster.frame_bytes + 1))
        self.asked, self.come = dict.fromkeys(pages, 0), dict.fromkeys(pages, 0)

    def ask(self, node):
        while self.asked[node] < self.pages[node] \
                and self.asked[node] - self.come[node] // self.pieces <= (WINDOW - 1) * BURST:
            count = min(BURST, self.pages[node] - self.asked[node])
            try:
                self.link.send(request(node, PAGES, count))
            except BlockingIOError:  # the switch is behind
                select.select([], [self.link], [], 0.5)
                continue
            self.asked[node] += count

    def run(self):
        begin = time.monotonic()
        for node in self.pages:
            self.ask(node)
        left = sum(self.pages.values()) * self.pieces
        while left > 0:
            if not select.select([self.link], [], [], 0.5)[0]:
                # Frames were lost: they are asked for again.
                for node in self.pages:
                    self.asked[node] = self.come[node] // self.pieces
                    self.ask(node)
            left -= self.take()
        return time.monotonic() - begin

    def take(self):
        """Takes what has come; returns how many frames that were."""
        frames, buffer = 0, self.buffer
        try:
            while True:
                self.link.recv_into(buffer)
                if buffer[12:14] == ETHER_TYPE and buffer[14] == ANSWER:
                    frames += 1
                    node = buffer[11]
                    self.come[node] += 1
                    if self.come[node] % (BURST * self.pieces) == 0:
                        self.ask(node)
        except BlockingIOError:
            return frames


def write(directory, byte_count):
    """Seconds to write and flush so many bytes to a new file."""
    path, portion = f"{directory}/raw", os.urandom(1 << 20)
    try:
        with open(path, "wb", buffering=0) as file:
            begin = time.monotonic()
            for start in range(0, byte_count, len(portion)):
                file.write(portion[:min(len(portion), byte_count - start)])
            os.fdatasync(file.fileno())
            return time.monotonic() - begin
    finally:
        os.unlink(path)


def flushes(directory, seconds=2):
    """Milliseconds that a flush of two pages takes on this disk, beside what else uses it."""
    path, portion, times = f"{directory}/raw", os.urandom(2 * PAGE), []
    try:
        with open(path, "wb", buffering=0) as file:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begin = time.monotonic()
                file.write(portion)
                os.fdatasync(file.fileno())
                times.append((time.monotonic() - begin) * 1e3)
                time.sleep(0.005)
    finally:
        os.unlink(path)
    times.sort()
    return {"flush_median_ms": times[len(times) // 2], "flush_p99_ms": times[len(times) * 99 // 100]}
