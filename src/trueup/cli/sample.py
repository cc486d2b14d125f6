"""The sample of `trueup up`: what the repository is seeded with, and the resources that make it run."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest

SAMPLE = "sample"
"""Name of the repository, and of its source."""


def sample_directory() -> Path:
    """In the package (a wheel carries it), else in the checkout."""
    packaged = Path(str(files("trueup.cli"))) / "sample_repository"
    checkout = Path(__file__).resolve().parents[3] / "examples" / "sample"
    for place in (packaged, checkout):
        if place.is_dir():
            return place
    raise TrueupError("the sample repository is not part of this installation", hint="trueup up --no-sample")


APPS = {"web-dev": "./apps/web/overlays/dev", "web-prod": "./apps/web/overlays/prod", "guestbook": "./apps/guestbook"}
"""What the sample runs: the Kustomization's name and its path."""


def sample_manifests(url: str) -> list[Manifest]:
    """One Git source and one Kustomization per App of the sample."""
    source: Manifest = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "sample", "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": url, "ref": {"branch": "main"}},
    }
    return [source, *(_kustomization(name, path) for name, path in APPS.items())]


def _kustomization(name: str, path: str) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "interval": "10m",
            "path": path,
            "prune": True,
            "wait": True,
            "timeout": "2m",
            "sourceRef": {"kind": "GitRepository", "name": "sample"},
        },
    }
