"""The command line: one module per verb group; wires the rooms together."""
