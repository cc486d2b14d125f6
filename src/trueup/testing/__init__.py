"""Tests of your own manifests and operators on the embedded Kubernetes: a pytest plugin, and what its fixtures give.

pytest finds the fixtures by itself; types and errors are in `trueup.testing.cluster`.
It needs pytest and Trueup, nothing more.
"""
