"""A site: one target cluster, as one kubeconfig reaches it, and everything that the App loop needs of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from trueup.controllers.shell import AppShell
from trueup.controllers.trees.branch import Branch
from trueup.model.errors import Transient, TrueupError
from trueup.model.refs import ObjectRef


class SiteUnavailable(Transient):
    """The cluster that an App's objects live in cannot be worked on now."""

    reason = "ClusterUnreachable"


class ClusterReplaced(SiteUnavailable):
    """Another cluster answers at the same address."""


UNNAMED = "at-"
"""Begins what stands for the uid of a cluster that does not tell it."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Site:
    """`shell` is the App loop's world with this cluster in it. `name` is for people."""

    name: str
    cluster_id: str
    """The uid of its `kube-system`, which names a cluster for life."""
    shell: AppShell
    branch: Branch | None = None
    """The trees of its objects; None: nobody looks at them."""
    problem: TrueupError | None = None
    """Why it cannot be worked on now, though it could be before."""
    users: set[ObjectRef] = field(default_factory=set)
    """Apps whose objects live here; not counted at home."""
    busy: int = 0
    """Looks at its Apps that are under way; not counted at home."""

    @property
    def is_named(self) -> bool:
        """Whether the cluster tells its uid."""
        return not self.cluster_id.startswith(UNNAMED)
