"""Where people find what an object offers: as its annotations say, and as an Ingress lets traffic in. Pure; Argo CD's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LINK = "link.argocd.argoproj.io/"
"""Of annotations: `link.argocd.argoproj.io/NAME: TITLE|URL`, or the URL alone."""
IGNORE = "argocd.argoproj.io/ignore-default-links"


def annotated_urls(annotations: Mapping[str, Any]) -> Iterator[str]:
    """As they are written, by name."""
    for key, value in sorted(annotations.items()):
        if key.startswith(LINK) and isinstance(value, str):
            yield value


def ingress_urls(spec: Mapping[str, Any], balancers: list[str]) -> Iterator[str]:
    """Of an Ingress: each path of each host; `balancers` are names and addresses where a rule names no host. A host with `*` is none."""
    secured = _rows(spec.get("tls"))
    for rule in _rows(spec.get("rules")):
        host = str(rule.get("host") or "")
        http = rule.get("http")
        paths = [str(path.get("path") or "/") for path in _rows(http.get("paths") if isinstance(http, dict) else None)]
        for name in [host] if host else balancers:
            if "*" in name:
                continue
            scheme = "https" if any(_covers(one, name) for one in secured) else "http"
            for path in paths or ["/"]:
                yield f"{scheme}://{name}/{path.removesuffix('*').lstrip('/')}"


def _covers(tls: Mapping[str, Any], name: str) -> bool:
    hosts = _list(tls.get("hosts"))
    return not hosts or name in hosts or f"*.{name.partition('.')[2]}" in hosts


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in _list(value) if isinstance(row, dict)]
