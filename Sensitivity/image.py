#!/usr/bin/env python3
"""image.py BUG DIRECTORY: builds the node image with one planted bug awake, and prints its path.

The files that git knows are copied to DIRECTORY, the bug's changes are made there, and `make` builds the image. For a
cluster of real machines whose history `plurix check` must find wrong.
"""
import pathlib
import re
import shutil
import subprocess
import sys

import plant


def main(name, directory):
    bug = next((bug for bug in plant.read_bugs() if bug.name == name), None)
    if not bug:
        plant.stop(f"there is no bug {name}")
    target = pathlib.Path(directory).resolve()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=plant.ROOT, check=True, capture_output=True, text=True)
    for file in filter(None, listed.stdout.split("\0")):
        if not (plant.ROOT / file).is_file():
            continue
        try:
            text = (plant.ROOT / file).read_text()
        except UnicodeDecodeError:
            continue
        changes = [change for change in bug.changes if change.file == file]
        places = sorted(((*plant.find(text, bug, change), change) for change in changes), key=lambda place: place[0])
        for start, end, change in reversed(places):
            text = text[:start] + re.sub(r"\bplanted\b", "true", "\n".join(change.new)) + text[end:]
        plant.write(target / file, text)
        shutil.copymode(plant.ROOT / file, target / file)
    subprocess.run(["make", "--no-print-directory", ".build/image/node.elf", ".build/image/node-domain.xml"],
                   cwd=target, check=True, stdout=sys.stderr)
    print(target / ".build/image/node.elf")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        plant.stop("usage: image.py BUG DIRECTORY")
    main(*sys.argv[1:])
