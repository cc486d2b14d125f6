"""Real peers for tests and benchmarks: built from the pinned Go modules of `tools/`, started on free ports."""
