"""The sample of `trueup up`: what the repository is seeded with, and the resources that make it run."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest


def sample_directory() -> Path:
    """In the package (a wheel carries it), else in the checkout."""
    packaged = Path(str(files("trueup.cli"))) / "sample_repository"
    checkout = Path(__file__).resolve().parents[3] / "examples" / "sample"
    for place in (packaged, checkout):
        if place.is_dir():
            return place
    raise TrueupError("the sample repository is not part of this installation", hint="trueup up --no-sample")


def sample_manifests(url: str) -> list[Manifest]:
    """One Git source and one Kustomization per directory of the sample."""
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "sample", "namespace": "flux-system"},
        "spec": {"interval": "1m", "url": url, "ref": {"branch": "main"}},
    }
    apps = sorted(place.name for place in (sample_directory() / "apps").iterdir() if place.is_dir())
    return [source, *(_kustomization(name) for name in apps)]


def _kustomization(name: str) -> Manifest:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "interval": "10m",
            "path": f"./apps/{name}",
            "prune": True,
            "wait": True,
            "timeout": "2m",
            "sourceRef": {"kind": "GitRepository", "name": "sample"},
        },
    }
