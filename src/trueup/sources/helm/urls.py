"""Addresses in a repository's index, and when two addresses of repositories are the same. Pure."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit, urlunsplit

OCI = "oci://"


def index_url(repository: str) -> str:
    """Where the index is: `https://host/charts` -> `https://host/charts/index.yaml`; a query stays."""
    parts = urlsplit(repository)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/index.yaml"))


def chart_url(repository: str, said: str) -> str:
    """An entry's URL, which may be relative to the repository; then the repository's query is kept (Helm's ResolveReferenceURL)."""
    if urlsplit(said).scheme:
        return said
    base = urlsplit(repository)
    folder = urlunsplit(base._replace(path=base.path.removesuffix("/") + "/", query="", fragment=""))
    joined = urlsplit(urljoin(folder, said))
    return urlunsplit(joined._replace(query=base.query))


def same_origin(one: str, other: str) -> bool:
    """Scheme, host and port as written (Helm's rule for credentials)."""
    left, right = urlsplit(one), urlsplit(other)
    return (left.scheme, left.netloc.rpartition("@")[2]) == (right.scheme, right.netloc.rpartition("@")[2])


def normalise(repository: str) -> str:
    """What addresses are compared by: one slash at the end of an HTTP address, none at that of a registry."""
    bare = repository.strip().rstrip("/")
    return bare if bare.startswith(OCI) or not bare else f"{bare}/"


def file_name(url: str) -> str:
    """The last part of the path: `https://host/a-1.0.0.tgz?x` -> `a-1.0.0.tgz`."""
    return urlsplit(url).path.rpartition("/")[2]
