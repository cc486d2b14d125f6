"""Flux's resources: Kustomization and GitRepository, every version since v1beta1. Facts: fluxcd's API types and documents."""
