"""What Kubernetes calls whoever signs in here, where calls are made as the person. Pure.

As kube-apiserver does it for its own OpenID provider (`--oidc-username-prefix`): names of a provider begin with a prefix, so that
nobody can sign in as somebody whom the cluster knows from elsewhere. Local users are `trueup:NAME`: our `admin` is not the cluster's.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.api.caller import KubernetesIdentity

LOCAL = "trueup:"
RESERVED = "system:"
NONE = "-"
"""How kube-apiserver's flag says that there is to be no prefix."""


class Names(Struct, frozen=True, kw_only=True):
    """Prefixes of a provider's users and groups; empty: as the provider says them."""

    user_prefix: str = "oidc:"
    group_prefix: str = "oidc:"

    def of_provider(self, name: str, groups: tuple[str, ...]) -> KubernetesIdentity | None:
        """None: no provider makes anybody a `system:` user, or one of ours. A group of such a name is left out."""
        user = self.user_prefix + name
        if not name or not _is_theirs(user):
            return None
        named = (self.group_prefix + group for group in groups if group)
        return KubernetesIdentity(user=user, groups=tuple(group for group in named if _is_theirs(group)))

    def of_local(self, name: str) -> KubernetesIdentity | None:
        return KubernetesIdentity(user=LOCAL + name) if name and _is_clean(name) else None


def names_of(user_prefix: str, group_prefix: str) -> Names:
    """As they are given on a command line. Raises InvalidInput for one with which a provider could name the cluster's own."""
    for option, prefix in (("--user-prefix", user_prefix), ("--group-prefix", group_prefix)):
        if prefix.startswith((RESERVED, LOCAL)):
            raise InvalidInput(
                f"{prefix!r} lets a provider name users and groups of the cluster's own",
                field=option,
                hint=f"take oidc: or another; {NONE} for none",
            )
        if not _is_clean(prefix):
            raise InvalidInput("holds what no header may", field=option)
    bare = {NONE: ""}
    return Names(user_prefix=bare.get(user_prefix, user_prefix), group_prefix=bare.get(group_prefix, group_prefix))


def _is_theirs(name: str) -> bool:
    return _is_clean(name) and not name.startswith((RESERVED, LOCAL))


def _is_clean(name: str) -> bool:
    """It goes into a header: neither control characters nor spaces at its ends, which a server would take away."""
    return name.isprintable() and name == name.strip()
