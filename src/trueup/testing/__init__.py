"""Tests of your own manifests and operators on the embedded Kubernetes: a pytest plugin, and what its fixtures give.

`pytest_plugins = ["trueup.testing.plugin"]` in a conftest.py brings the fixtures; types and errors are in `trueup.testing.cluster`.
It needs pytest and Trueup, nothing more.
"""
