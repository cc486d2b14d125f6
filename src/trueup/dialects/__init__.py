"""Dialects: families of resources (Flux, Argo CD) to the one App, and outcomes back to their own status. Pure."""
