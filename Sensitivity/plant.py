#!/usr/bin/env python3
"""plant.py DIRECTORY: writes a package with every planted bug in it, each asleep until its number is chosen.

The rooms that `simulate` is made of are copied, every entry of the lists (*.bugs) is applied, and a module Planted is
added: `planted(n)` is true in a process whose environment says PLANTED=n. So all bugs together take one build, and
the sources themselves know nothing of them.

An entry of a list:

    # NAME: what is wrong
    seed N                              a seed that is known to catch it (optional)
    in FILE [FUNCTION]                  where the next snippet stands: exactly once in the file, or in that function
    - a snippet of the source; spaces at the ends of lines do not matter
    + what takes its place; the word `planted` asks whether the bug is chosen
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LISTS = ROOT / "Sensitivity"


class Change:
    """One snippet and what takes its place."""

    def __init__(self, file, function):
        self.file, self.function, self.old, self.new = file, function, [], []


class Bug:
    def __init__(self, number, name, title, place):
        self.number, self.name, self.title, self.place = number, name, title, place
        self.seed, self.changes = None, []

    @property
    def rule(self):
        return self.name.split("-")[0] if re.match(r"P\d+-", self.name) else ""


def stop(text):
    sys.exit(f"plant: {text}")


def read_bugs():
    """Every entry of every list, numbered from 1 in the order of the files' names."""
    bugs = []
    for path in sorted(LISTS.glob("*.bugs")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            head = re.fullmatch(r"# ([\w-]+): (.+)", line)
            if head:
                if any(bug.name == head[1] for bug in bugs):
                    stop(f"{place}: {head[1]} stands here twice")
                bugs.append(Bug(len(bugs) + 1, head[1], head[2], place))
            elif line.strip() and not line.startswith("//"):
                if not bugs:
                    stop(f"{place}: an entry begins with '# NAME: what is wrong'")
                read_line(bugs[-1], line, place)
    for bug in bugs:
        if not bug.changes or not all(change.old and change.new for change in bug.changes):
            stop(f"{bug.place}: {bug.name} changes nothing")
        if not any(re.search(r"\bplanted\b", line) for change in bug.changes for line in change.new):
            stop(f"{bug.place}: {bug.name} would always be there: its text does not ask whether it is planted")
    return bugs


def read_line(bug, line, place):
    words = line.split()
    if words[0] == "seed" and len(words) == 2 and words[1].isdigit():
        bug.seed = int(words[1])
    elif words[0] == "in" and len(words) in (2, 3):
        bug.changes.append(Change(words[1], words[2] if len(words) == 3 else None))
    elif line[:2] in ("- ", "+ ") and bug.changes:
        change = bug.changes[-1]
        if line[0] == "-" and change.new:
            # Another snippet of the same place.
            bug.changes.append(Change(change.file, change.function))
            change = bug.changes[-1]
        (change.old if line[0] == "-" else change.new).append(line[2:])
    else:
        stop(f"{place}: cannot read '{line}'")


def find(text, bug, change):
    """Where the snippet stands in the text, which must have it once."""
    start, end = 0, len(text)
    if change.function:
        declared = "init" if change.function == "init" else rf"(?:func|var) {re.escape(change.function)}"
        heads = list(re.finditer(rf"^( *)[\w() ]*\b{declared}\b[^\n]*", text, re.M))
        if len(heads) != 1:
            stop(f"{bug.place}: {bug.name}: {change.file} has {len(heads)} functions {change.function}")
        start, end = heads[0].start(), heads[0].end()
        if not heads[0][0].endswith("}"):
            end = re.compile(rf"^{heads[0][1]}\}}", re.M).search(text, end).end()
    pattern = r"\s*\n\s*".join(re.escape(line.strip()) for line in change.old)
    found = list(re.finditer(pattern, text[start:end]))
    if len(found) != 1:
        where = f"{change.file} {change.function or ''}".strip()
        stop(f"{bug.place}: {bug.name}: {where} has this {len(found)} times, not once:\n    "
             + "\n    ".join(change.old) + "\nThe source has changed: mend the entry.")
    return start + found[0].start(), start + found[0].end()


def plant(text, entries):
    """The text of a file with all its changes."""
    places = sorted(((*find(text, bug, change), bug, change) for bug, change in entries), key=lambda place: place[:2])
    for (_, end, bug, _), (start, _, other, _) in zip(places, places[1:]):
        if start < end:
            stop(f"{other.place}: {bug.name} and {other.name} change the same text of {other.changes[0].file}")
    for start, end, bug, change in reversed(places):
        indent = re.search(r"[^\n]*\Z", text[:start])[0]
        indent = indent[:len(indent) - len(indent.lstrip())]
        new = f"\n{indent}".join(change.new)
        text = text[:start] + re.sub(r"\bplanted\b", f"planted({bug.number})", new) + text[end:]
    return "import Planted\n" + text


def rooms():
    """The rooms that the simulator is made of, with what each imports: itself, and what that imports."""
    found, wanted = {}, ["simulate"]
    while wanted:
        room = wanted.pop()
        if room in found:
            continue
        text = "\n".join(path.read_text() for path in (ROOT / "Sources" / room).rglob("*.swift"))
        imports = sorted({name for name in re.findall(r"^import (\w+)", text, re.M)
                          if (ROOT / "Sources" / name).is_dir() and name != room})
        found[room] = imports
        wanted += imports
    return found


PLANTED = """\
import Glibc

/// The bug of this process; 0: none.
@usableFromInline let chosen = getenv("PLANTED").flatMap { Int(String(cString: $0)) } ?? 0

@inlinable public func planted(_ number: Int) -> Bool { chosen == number }
"""


def manifest(graph):
    targets = ['        .target(name: "Planted"),']
    for room in sorted(graph):
        kind = "executableTarget" if room == "simulate" else "target"
        needs = ", ".join(f'"{name}"' for name in ["Planted"] + graph[room])
        targets.append(f'        .{kind}(name: "{room}", dependencies: [{needs}],\n'
                       '            swiftSettings: [.enableExperimentalFeature("Lifetimes")]),')
    return ("// swift-tools-version: 6.2\nimport PackageDescription\n\nlet package = Package(\n"
            '    name: "planted",\n    targets: [\n' + "\n".join(targets)
            + "\n    ],\n    swiftLanguageModes: [.v6])\n")


def write(path, text):
    """Only what has changed, so that the next build is short."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(directory):
    target = pathlib.Path(directory)
    bugs, graph = read_bugs(), rooms()
    changes = {}
    for bug in bugs:
        for change in bug.changes:
            changes.setdefault(change.file, []).append((bug, change))
    files = {}
    for room in graph:
        for path in (ROOT / "Sources" / room).rglob("*.swift"):
            files[str(path.relative_to(ROOT))] = path.read_text()
    for name, entries in changes.items():
        if name not in files:
            stop(f"{entries[0][0].place}: {entries[0][0].name}: the simulator is made without {name}")
        files[name] = plant(files[name], entries)
    files["Sources/Planted/Planted.swift"] = PLANTED
    files["Package.swift"] = manifest(graph)
    for path in (target / "Sources").rglob("*.swift"):
        if str(path.relative_to(target)) not in files:
            os.remove(path)
    for name, text in files.items():
        write(target / name, text)
    print(f"{len(bugs)} bugs planted in {len(changes)} files")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        stop("usage: plant.py DIRECTORY")
    main(sys.argv[1])
