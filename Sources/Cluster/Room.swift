// The room Cluster: see the reading order in README.md.
