// The room PageServer: see the reading order in README.md.
