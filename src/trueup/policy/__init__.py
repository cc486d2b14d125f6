"""Checks of manifests (schema, Rego, Kyverno, CEL) -> findings."""
