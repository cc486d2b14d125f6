"""Snapshot + RenderSpec -> manifests + the inputs that were read."""
