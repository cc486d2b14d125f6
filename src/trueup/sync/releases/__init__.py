"""Helm releases: how they stand, and what is to be done about them. Pure."""
