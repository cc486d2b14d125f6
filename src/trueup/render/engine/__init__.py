"""The engines: Go programs with the official libraries, spoken to over a pipe. See engines/PROTOCOL.md."""
