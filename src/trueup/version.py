"""The version of Trueup, read by the build and by `trueup version`."""

__version__ = "0.1.0"
