"""Artifacts in OCI registries: a client for pulls, and what becomes of an artifact: a Snapshot, a chart."""
