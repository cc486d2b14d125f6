"""Translations: resources of a family (Flux, Argo CD) -> Apps, and outcomes -> their status."""
