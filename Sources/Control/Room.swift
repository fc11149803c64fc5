// The room Control: see the reading order in README.md.
