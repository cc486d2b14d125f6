"""Helm releases: Apps whose objects are those of Helm's own release records."""
