"""Trueup keeps running systems true to Git: it pulls, renders, checks, applies, heals, prunes and proves."""

from trueup.version import __version__

__all__ = ["__version__"]
