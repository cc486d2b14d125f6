"""Who makes a request: the user as Kubernetes knows users, and the names of the groups that mean something to it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
"""The extra key that says which credential it was: a certificate's digest or a token's id."""


class User(Struct, frozen=True):
    """A user and its groups; RBAC knows nothing else of anyone."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = {}

    @property
    def is_master(self) -> bool:
        """Members of `system:masters` may do everything, whatever RBAC says."""
        return MASTERS in self.groups

    def as_user_info(self) -> dict[str, object]:
        """The form that reviews and webhooks carry."""
        info: dict[str, object] = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return {key: value for key, value in info.items() if value}


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid)


def system(name: str) -> User:
    """A component of the control plane, such as `kube-controller-manager`, that lives in this process."""
    return User(f"system:{name}", (MASTERS, AUTHENTICATED))
