"""How the storage names things: a resource (one collection) and an object's key inside it. Versions are not part of a name."""

from __future__ import annotations

from typing import NamedTuple


class Resource(NamedTuple):
    """One stored collection: the API group and the plural name, such as `("apps", "deployments")`."""

    group: str
    name: str

    def __str__(self) -> str:
        """`deployments.apps`, `pods`: the form that Kubernetes' messages use."""
        return f"{self.name}.{self.group}" if self.group else self.name


class Key(NamedTuple):
    """An object's place in its collection. `namespace` is empty for cluster scope."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """`shop/web`, `/node-1`: lists answer in the order of paths, in which `shop-2/...` stands before `shop/...`."""
        return f"{self.namespace}/{self.name}"
