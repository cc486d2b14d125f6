"""What holds before anybody writes a policy: `role:readonly` reads, `role:admin` does everything, and `admin` has it.

The table is Argo CD's set of resources and actions, so that policies written for it mean the same here.
"""

from __future__ import annotations

from trueup.server.access.rules import Binding, Effect, Place, Rule, Rules

READONLY, ADMIN = "role:readonly", "role:admin"
BUILTIN = Place("built-in policy")

PROJECT_RESOURCES = frozenset({"applications", "applicationsets", "logs", "exec"})
"""Whose objects are `PROJECT/NAME` or `PROJECT/NAMESPACE/NAME`."""

ACTIONS: dict[str, tuple[str, ...]] = {
    "applications": (
        "get", "create", "update", "update/*", "delete", "delete/*", "sync", "rollback", "override", "action/*",
    ),
    "applicationsets": ("get", "create", "update", "delete"),
    "certificates": ("get", "create", "update", "delete"),
    "clusters": ("get", "create", "update", "delete"),
    "repositories": ("get", "create", "update", "delete"),
    "write-repositories": ("get", "create", "update", "delete"),
    "projects": ("get", "create", "update", "delete"),
    "accounts": ("get", "update"),
    "gpgkeys": ("get", "create", "delete"),
    "logs": ("get",),
    "exec": ("create", "debug"),
    "extensions": ("invoke",),
    "sources": ("get", "create", "update", "delete", "sync"),
    "settings": ("get", "update"),
    "audit": ("get",),
}  # fmt: skip
"""Every resource, and what may be done with it. The last three are Trueup's own: Argo CD has nothing like them."""

_NOT_ADMINS = frozenset({"extensions"})
"""What even `role:admin` is not given: extensions are allowed one by one."""
_UNREADABLE = frozenset({"exec", "audit"})
"""What `role:readonly` is not given: to come into a container, and to know who did what."""


def builtin_rules() -> Rules:
    rules: list[Rule] = []
    for resource, actions in ACTIONS.items():
        target = "*/*" if resource in PROJECT_RESOURCES else "*"
        for action in actions:
            role = READONLY if action == "get" and resource not in _UNREADABLE else ADMIN
            if resource not in _NOT_ADMINS:
                rules.append(
                    Rule(
                        subject=role,
                        resource=resource,
                        action=action,
                        object=target,
                        effect=Effect.ALLOW,
                        place=BUILTIN,
                    )
                )
    bindings = (
        Binding(subject=ADMIN, role=READONLY, place=BUILTIN),
        Binding(subject="admin", role=ADMIN, place=BUILTIN),
    )
    return Rules(rules=tuple(rules), bindings=bindings)
