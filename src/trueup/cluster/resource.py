"""One served resource and where it lives under the API's root. Knows paths, not requests."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.refs import GroupKind, join_api_version


class Resource(Struct, frozen=True, kw_only=True):
    """A row of discovery: one kind at one version. `plural` is the word in paths, `short_names` what people type."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    singular: str = ""
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return join_api_version(self.group, self.version)

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def name(self) -> str:
        """`deployments.apps`, `pods`: as CRDs and RBAC rules call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_watchable(self) -> bool:
        return "list" in self.verbs and "watch" in self.verbs

    def __str__(self) -> str:
        return f"{self.name} ({self.version})"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """`/apis/apps/v1/namespaces/shop/deployments/web/scale`. An empty namespace of a namespaced kind means all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{_segment(namespace)}" if namespace and self.namespaced else ""
        tail = f"/{_segment(name)}" if name else ""
        if name and self.namespaced and not namespace:
            raise InvalidInput(
                f"{self.kind} {name!r} names no namespace, but {self.name} is namespaced", hint="set metadata.namespace"
            )
        return f"{root}{place}/{self.plural}{tail}" + (f"/{subresource}" if subresource else "")


def _segment(text: str) -> str:
    """One path segment; what would change the path is refused, as the API server refuses it as a name."""
    if text in (".", "..") or "/" in text or "%" in text:
        raise InvalidInput(f"{text!r} cannot be a name: it may not be '.', '..' or hold '/' or '%'")
    return quote(text, safe=":@!$&'()*+,;=")
