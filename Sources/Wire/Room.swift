// The room Wire: see the reading order in README.md.
