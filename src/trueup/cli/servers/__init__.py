"""Servers that a person is logged in to from this machine: which they are, how to get in, and what is kept of it."""
