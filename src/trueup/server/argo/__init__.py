"""Argo CD's REST API, on the same parts as our own: its paths, shapes, parameters and status codes."""
