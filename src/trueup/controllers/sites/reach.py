"""How far a registered cluster is managed: Argo CD's `namespaces` and `clusterResources` of its Secret."""

from __future__ import annotations

from msgspec import Struct

from trueup.model.apierror import ApiError
from trueup.model.refs import ObjectRef


class Reach(Struct, frozen=True):
    """`namespaces` empty: everything. Else these alone, and with `cluster_resources` what is in no namespace."""

    namespaces: frozenset[str] = frozenset()
    cluster_resources: bool = False

    def places(self, *, namespaced: bool) -> set[str] | None:
        """Where to look for objects of a kind: None: everywhere; an empty set: nowhere."""
        if not self.namespaces:
            return None
        if namespaced:
            return set(self.namespaces)
        return None if self.cluster_resources else set()

    def check(self, ref: ObjectRef) -> None:
        """Raises ApiError for an object that is not to be written, as the server would where it had to say it."""
        if not self.namespaces:
            return
        if ref.namespace and ref.namespace not in self.namespaces:
            raise ApiError(
                403,
                "Forbidden",
                f"the namespace {ref.namespace} of {ref} is not managed in its cluster",
                hint=f"the cluster's Secret lists {', '.join(sorted(self.namespaces))}",
            )
        if not ref.namespace and not self.cluster_resources:
            raise ApiError(
                403,
                "Forbidden",
                f"{ref} is in no namespace, and only namespaces of its cluster are managed",
                hint='set clusterResources: "true" in the cluster\'s Secret',
            )


EVERYTHING = Reach()
