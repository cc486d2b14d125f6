"""Names of things in a cluster. Stops at naming: what an object holds is `model.manifest`."""

from __future__ import annotations

from msgspec import Struct


class GroupKind(Struct, frozen=True, order=True, gc=False):
    """A kind without its version; the core group is the empty string."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class ObjectRef(Struct, frozen=True, order=True, gc=False):
    """One object's identity over its whole life. `namespace` is empty for cluster-scoped kinds."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Deployment/shop/web`, `Namespace/shop`: the same text in every log, error, event and page."""
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def qualified(self) -> str:
        """`Deployment.apps/shop/web`: for places where two groups share a kind."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.group_kind}/{place}"


def read_qualified(text: str) -> ObjectRef:
    """What `qualified` writes. Raises ValueError."""
    what, slash, place = text.partition("/")
    kind, _, group = what.partition(".")
    namespace, _, name = place.rpartition("/")
    if not (slash and kind and name) or "/" in namespace:
        raise ValueError(f"{text!r} is no KIND.GROUP/NAMESPACE/NAME")
    return ObjectRef(group, kind, namespace, name)


def split_api_version(api_version: str) -> tuple[str, str]:
    """`"apps/v1"` -> `("apps", "v1")`; `"v1"` -> `("", "v1")`."""
    group, _, version = api_version.rpartition("/")
    return group, version


def join_api_version(group: str, version: str) -> str:
    """`("apps", "v1")` -> `"apps/v1"`; `("", "v1")` -> `"v1"`."""
    return f"{group}/{version}" if group else version
