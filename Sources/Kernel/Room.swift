// The room Kernel: see the reading order in README.md.
