// The room Protocol: see the reading order in README.md.
