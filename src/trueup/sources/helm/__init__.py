"""Helm's sources: repository indexes, charts out of them or out of other sources, and what charts depend on."""
