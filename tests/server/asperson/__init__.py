"""Kubernetes as the one who decides."""
