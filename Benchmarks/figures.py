"""From the nodes' results to figures, from figures to the table and the goals."""
import statistics

STATISTICS = ("min", "median", "p99", "mean")
# What a node is asked for while it sleeps and while its transaction computes.
ANSWERS = {"served": "page", "token": "token", "echo": "any frame"}


def microseconds(results, name):
    return {f"{key}_us": round(results[f"{name}.{key}"] / 1000, 1) for key in STATISTICS}


def instructions(results, memory_mebibytes, shared_pages):
    """One node alone under QEMU's counter. `joined` leaves out what was slept away."""
    names = [f"begin_after_{n}" for n in (0, 1, 16, 256)] + ["first_write", "page_copy"] \
        + [f"abort_{n}" for n in (0, 1, 16, 256)] + [f"commit_{n}" for n in (0, 1, 16)]
    out = {"event_loop": results["ready.ticks"], "joined": results["joined.ticks"] - results["joined.idle_ticks"]}
    out.update({name: results[f"{name}.median"] for name in names})
    out.update({"memory_mebibytes": memory_mebibytes, "shared_pages": shared_pages})
    out["first_write_beside_copy"] = out["first_write"] - out["page_copy"]
    return out


def shared(parts, name):
    """What all nodes did together, in the time of the first."""
    operations, elapsed = sum(p[f"{name}.operations"] for p in parts), parts[0][f"{name}.nanoseconds"]
    return {"ops_per_s": round(operations / elapsed * 1e9), "us_per_op": round(elapsed / operations / 1000, 2),
            "frames_per_op": round(sum(p[f"{name}.frames"] for p in parts) / 2 / operations, 2)}


def together(parts, joined):
    """Results of the nodes n1, n2, … of one run; `joined` is seconds from the start of each QEMU."""
    second = parts[1]
    out = {"join": {"first_ms": parts[0]["ready.microseconds"] / 1000, "later_ms": second["ready.microseconds"] / 1000,
                    "page_requests": second["ready.pageRequests"], "first_start_s": round(joined[0], 3),
                    "later_start_s": round(joined[1], 3)}}
    if len(parts) == 2:
        for name in ("raw_60_to_60", "raw_request_to_page", "read_fault"):
            out[name] = microseconds(second, name)
        out["read_fault"]["frames"] = second["read_fault_frames.median"]
        out["read_fault"]["over_raw"] = round(
            second["read_fault.median"] / second["raw_request_to_page.median"], 3)
        for what in ANSWERS:
            idle, busy = f"{what}_by_idle", f"{what}_by_busy"
            out[idle], out[busy] = microseconds(second, idle), microseconds(second, busy)
            out[busy]["over_idle"] = round(second[f"{busy}.median"] / second[f"{idle}.median"], 2)
        out["ordered_reading"] = {"mb_per_s": round(second["ordered_reading.kilobytes_per_second"] / 1000, 1)}
        out["frames_per_commit"] = {name: second[f"frames_{name}.median"]
                                    for name in ("read_only", "token_in_hand", "token_elsewhere")}
    out["ping_pong"] = shared(parts, "ping_pong")
    out["counter"] = shared(parts, "counter")
    operations = sum(p["counter.operations"] for p in parts)
    out["counter"]["travelled_per_s"] = round(
        sum(p["counter.travelled"] for p in parts) / parts[0]["counter.nanoseconds"] * 1e9)
    out["counter"]["aborts_per_op"] = round(sum(p["counter.aborts"] for p in parts) / operations, 3)
    out["counter"]["least_share"] = round(min(p["counter.operations"] for p in parts) * len(parts) / operations, 2)
    out["counter"]["exact"] = all(p["counter.value"] == sum(q["counter.all"] for q in parts) for p in parts)
    return out


# MARK: Goals

def goals(result):
    """Each: what, for which card, the figure, the goal, and whether it is met; some figures without a goal among them."""
    rows = []

    def add(what, nic, value, limit=None, isMost=True):
        row = {"what": what, "nic": nic, "value": round(value, 3)}
        if limit is not None:
            row["goal"] = ("<= " if isMost else ">= ") + str(limit)
            row["met"] = value <= limit if isMost else value >= limit
        rows.append(row)

    add("image, KiB", "", result["image_bytes"] / 1024, 512)
    if "up_s" in result:
        add("three nodes up, s", "", result["up_s"], 5)
    for nic, figures in result.get("storage", {}).items():
        storage_goals(figures, lambda what, *rest, nic=nic: add(what, nic, *rest))
    for nic, figures in result.get("nodes", {}).items():
        two, three, counted = figures["nodes_2"], figures["nodes_3"], figures["instructions"]
        middle = lambda group, key, source=two: source[group][key]["median"]
        add("join of a later node, guest ms", nic, middle("join", "later_ms"), 25)
        add("join of the first node, guest ms", nic, middle("join", "first_ms"), 100)
        add("page requests of a join", nic, middle("join", "page_requests"), 284)
        add("a node that works, memory, MiB", nic, counted["memory_mebibytes"], 32)
        # Less than an instruction for each page of the shared memory: it is not looked through.
        add("begin after touching nothing, instructions", nic, counted["begin_after_0"], counted["shared_pages"] - 1)
        add("begin, instructions a touched page", nic, (counted["begin_after_256"] - counted["begin_after_0"]) / 256)
        add("first write beside the copy, instructions", nic, counted["first_write_beside_copy"], 1500)
        for name, limit in (("read_only", 0), ("token_in_hand", 1), ("token_elsewhere", 3)):
            add(f"frames of a commit, {name.replace('_', ' ')}", nic, middle("frames_per_commit", name), limit)
        for name, source, frames in (("", two, 2), (", MTU 1500", figures["nodes_2_mtu_1500"], 4)):
            add("frames of a page fault" + name, nic, middle("read_fault", "frames", source), frames)
            add("page fault / raw round trip" + name, nic, middle("read_fault", "over_raw", source), 1.25)
            for answer, what in ANSWERS.items():
                add(f"{what} while computing / idle{name}", nic, middle(f"{answer}_by_busy", "over_idle", source), 3)
        if "peer" not in result:
            continue
        peers = list(result["peer"].values())
        best = lambda pick, least=True: (min if least else max)(pick(p) for p in peers)
        at = lambda nodes, group, key: lambda p: p[f"nodes_{nodes}"][group][key]["median"]
        counter = lambda nodes: max(best(at(nodes, name, "ops_per_s"), False)
                                    for name in ("counter_locked", "counter_optimistic"))
        add("peer: remote page fault, ratio", nic,
            middle("read_fault", "median_us") / best(at(2, "read_fault", "median_us")), 0.6)
        add("peer: contended counter on 2 nodes, ratio", nic, middle("counter", "ops_per_s") / counter(2), 1.5, False)
        add("peer: contended counter on 3 nodes, ratio", nic,
            middle("counter", "ops_per_s", three) / counter(3), 1.5, False)
        # The peer counts additions for which the token travelled; ours are many a hand-over, by design. So also:
        add("peer: counter's hand-overs on 2 nodes, ratio", nic, middle("counter", "travelled_per_s") / counter(2))
        add("peer: turn on one integer, time, ratio", nic, middle("ping_pong", "us_per_op")
            / min(best(at(2, name, "us_per_op")) for name in ("ping_pong", "ping_pong_write_intent")))
        add("peer: first write, instructions, ratio", nic, counted["first_write"]
            / best(lambda p: p["instructions"]["first_write_sigsegv_copy"]["median"]), 0.2)
        stream = max(best(at(2, f"stream_read_ahead_{n}", "mb_per_s"), False) for n in (1, 8))
        add("peer: ordered reading, ratio", nic, middle("ordered_reading", "mb_per_s") / stream, 1.5, False)
        add("peer: start of QEMU to joined, ratio", nic,
            middle("join", "later_start_s") / best(at(2, "boot", "joiner_joined_s")), 0.15)
    return rows


def storage_goals(figures, add):
    checkpoints = figures["checkpoints"].values()
    middle = lambda key: statistics.median(row[key] for row in checkpoints)
    add("checkpoint / slower raw path, median of ten", middle("over_slower"), 0.85, False)
    add("bytes written / dirty bytes, the most of ten", max(r["bytes_per_dirty_byte"] for r in checkpoints), 1.03)
    add("flushes of a checkpoint, the most of ten", max(row["flushes"] for row in checkpoints), 2)
    add("page requests when all is saved", figures["refetched"]["page_requests"], 0)
    add("durable commit / round trip and flush", figures["durable"]["ratio"], 1.3)
    for heap in (20, 640):
        if part := figures.get(f"disturbance_{heap}"):
            add(f"longest pause / checkpoint, heap of {heap} MiB", part["pause_share"], 0.02)
    if part := figures.get("bank"):
        add("bank during checkpoints / without", part["throughput"], 0.8, False)
        add("loss window of bank, ms, 99 %", part["window_p99_ms"], 100)
        add("a flush of two pages beside it, ms, 99 %", part["flush_p99_ms"])
    for heap in (64, 640):
        if part := figures.get(f"lives_{heap}"):
            add(f"crash to rejoined / cold join, heap {heap} MiB", part["rejoin_over_cold"], 1.3)
            add(f"restart from disk, heap {heap} MiB, s", part["restart_s"], 1)
    if part := figures.get("beyond_memory"):
        add("heap / memory of all nodes, verified", part["heap_mebibytes"] / part["memory_mebibytes"])


# MARK: Table

CHECKPOINT_COLUMNS = {"nodes": "nodes", "mb": "MB", "mb_per_s": "MB/s", "network_mb_per_s": "network",
                      "disk_mb_per_s": "disk", "over_network": "/network", "over_disk": "/disk",
                      "over_slower": "/slower", "bytes_per_dirty_byte": "bytes/byte", "flushes": "flushes"}


def checkpoint_table(rows):
    """The paper's table, with both raw paths in each row."""
    yield "  " + f"{'':4}" + "".join(f"{name:>11}" for name in CHECKPOINT_COLUMNS.values())
    for number, row in rows.items():
        yield "  " + f"{number:4}" + "".join(f"{row[key]:>11.4g}" for key in CHECKPOINT_COLUMNS)


def rows_of(group, prefix=""):
    for key, value in group.items():
        if isinstance(value, dict) and "median" not in value:
            yield from rows_of(value, f"{prefix}{key} ")
        elif isinstance(value, dict):
            yield prefix + key, f"{value['median']:g}", f"{value['min']:g} … {value['max']:g}"
        else:
            yield prefix + key, f"{value:g}" if not isinstance(value, bool) else str(value).lower(), ""


def table(result):
    lines = []
    for nic, figures in result.get("storage", {}).items():
        for part, group in figures.items():
            lines += ["", f"{nic}, storage, {part}"]
            if part == "checkpoints":
                lines += checkpoint_table(group)
            else:
                lines += [f"  {name:42}{value:>12}" for name, value, _ in rows_of(group)]
    for nic, figures in result.get("nodes", {}).items():
        for part, group in figures.items():
            lines += ["", f"{nic}, {part}", f"  {'figure':42}{'median':>12}  least … most"]
            lines += [f"  {name:42}{median:>12}  {span}".rstrip() for name, median, span in rows_of(group)]
    lines += ["", f"  {'goal':46}{'card':>9}{'value':>10}  goal"]
    for g in result["goals"]:
        verdict = f"{g['goal']:9} {'met' if g['met'] else 'MISSED'}" if "goal" in g else ""
        lines.append(f"  {g['what']:46}{g['nic']:>9}{g['value']:>10g}  {verdict}".rstrip())
    return "\n".join(lines)
