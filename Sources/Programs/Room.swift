// The room Programs: see the reading order in README.md.
