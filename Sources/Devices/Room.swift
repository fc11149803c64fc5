// The room Devices: see the reading order in README.md.
