// The room Segment: see the reading order in README.md.
