// The room Paging: see the reading order in README.md.
