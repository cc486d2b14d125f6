"""The vocabulary of Trueup: immutable values that every room shares. No I/O; imports nothing else of ours."""
