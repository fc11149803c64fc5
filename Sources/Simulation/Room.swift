// The room Simulation: see the reading order in README.md.
