"""What a request addresses: the path and method of an HTTP request as the API understands them.

Follows apiserver's RequestInfo: https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/request/requestinfo.go
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class Target(Struct, frozen=True):
    """A resource request (`is_resource`) or any other path. `verb` is the API's for resources, the method's otherwise."""

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""
    rest: tuple[str, ...] = ()
    """What follows the subresource in the path, for proxies."""


def target_of(method: str, path: str, query: Mapping[str, str]) -> Target:
    """`GET /apis/apps/v1/namespaces/shop/deployments/web/scale` -> get of deployments.apps web/scale in shop."""
    other = Target(verb=method.lower(), path=path)
    parts = path.strip("/").split("/")
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return other
    if parts[0] == "api":
        group, version, parts = "", parts[1], parts[2:]
    elif len(parts) >= 4:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return other
    verb = _VERBS.get(method, "")
    watching = False
    if parts[0] == "watch" and len(parts) > 1:  # the old way to watch, still served
        watching, parts = True, parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and not (len(parts) == 3 and parts[2] in _NAMESPACE_SUBRESOURCES):
            parts = parts[2:]
    resource = parts[0]
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if not name or watching:
        verb = _collection_verb(verb, query, watching)
        if not name:
            name = _name_selected(query.get("fieldSelector", ""))
    return Target(verb, path, True, group, version, namespace, resource, name, subresource, tuple(parts[3:]))


def _collection_verb(verb: str, query: Mapping[str, str], watching: bool) -> str:
    if watching:
        return "watch"  # whatever the method: only GET is served there
    if verb == "get":
        return "watch" if is_true(query.get("watch")) else "list"
    return "deletecollection" if verb == "delete" else verb


def is_true(value: str | None) -> bool:
    """A query parameter's truth: given, and neither `0` nor `false` (apimachinery's queryparams conversion)."""
    return value is not None and value.lower() not in ("0", "false")


def _name_selected(selector: str) -> str:
    """A selector that asks for one name counts as that name for authorization."""
    for term in selector.split(","):
        key, sign, value = term.partition("=")
        if sign and key == "metadata.name" and value.lstrip("=") and not key.endswith("!"):
            return value.lstrip("=")
    return ""
