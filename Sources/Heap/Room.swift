// The room Heap: see the reading order in README.md.
