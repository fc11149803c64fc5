"""The two raw paths of a checkpoint: what the segment carries, and what the disk takes, of as many pages."""
import os, select, socket, time

STATION = 0xF1  # of the host, which takes raw frames here
PAGE = 4096
ETHER_TYPE, ANSWER, PAGES = b"\x88\xb6", 0, 3  # Sources/Node/RawEcho.swift
PIECE_HEAD = 72 + 32  # Sources/Wire/PageMessages.swift: bytes of a frame that are not the page's
BURST = 16  # pages a request
WINDOW = 4  # requests under way, each node


def address(station):
    return bytes((0x02, 0x50, 0x4C, 0x58, 0x00, station))


def stream(cluster, pages):
    """Seconds for so many pages of each node, without protocol and tags. `pages`: of each node number, how many."""
    cluster.ask("segment", {"op": "attach", "station": STATION})
    most = min(PAGE, (cluster.frame_bytes - PIECE_HEAD) & ~7)
    pieces = -(-PAGE // most)
    path = f"{cluster.directory}/n{STATION}"
    if os.path.exists(path):
        os.unlink(path)
    try:
        return receive(cluster, pages, pieces, path)
    finally:
        # Its port knows the socket, and would take nothing from the next one.
        cluster.ask("segment", {"op": "detach", "station": STATION})


def receive(cluster, pages, pieces, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        link.bind(path)
        link.connect(f"{cluster.directory}/s{STATION}")
        link.setblocking(False)
        asked, come = dict.fromkeys(pages, 0), dict.fromkeys(pages, 0)
        buffer = memoryview(bytearray(cluster.frame_bytes + 1))

        def ask(node):
            while asked[node] < pages[node] and asked[node] - come[node] // pieces <= (WINDOW - 1) * BURST:
                count = min(BURST, pages[node] - asked[node])
                link.send(address(node) + address(STATION) + ETHER_TYPE + bytes((PAGES, count)) + bytes(44))
                asked[node] += count

        begin = time.monotonic()
        for node in pages:
            ask(node)
        left = sum(pages.values()) * pieces
        while left:
            if not select.select([link], [], [], 0.5)[0]:
                # Frames were lost: they are asked for again.
                for node in pages:
                    asked[node] = come[node] // pieces
                    ask(node)
                continue
            try:
                while left:
                    link.recv_into(buffer)
                    if buffer[12:14] != ETHER_TYPE or buffer[14] != ANSWER:
                        continue
                    node = buffer[11]
                    come[node] += 1
                    left -= 1
                    if come[node] % (BURST * pieces) == 0:
                        ask(node)
            except BlockingIOError:
                pass
        return time.monotonic() - begin


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
