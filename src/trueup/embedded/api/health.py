"""`/healthz`, `/livez` and `/readyz`: every check by name, one alone, some left out, or all of them told with `?verbose`.

The names are kube-apiserver's, for what there is here too: https://kubernetes.io/docs/reference/using-api/health-checks/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

ROOTS = ("/healthz", "/livez", "/readyz")
_ALWAYS = ("ping", "log", "etcd")
_READY = ("etcd-readiness", "informer-sync")
_STARTED = (
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
)


class Report(Struct, frozen=True):
    """What is answered, in plain text."""

    code: int
    text: str


def _all(query: Mapping[str, str], key: str) -> list[str]:
    """Every value of a parameter; a plain mapping holds one."""
    many = getattr(query, "getall", None)
    return list(many(key, [])) if many is not None else [query[key]] if key in query else []


class Health:
    """`is_alive` says whether the storage takes writes, `is_ready` whether everything that a new cluster has is there."""

    def __init__(self, is_ready: Callable[[], bool], is_alive: Callable[[], bool] = lambda: True) -> None:
        self._is_ready = is_ready
        self._is_alive = is_alive

    def report(self, path: str, query: Mapping[str, str]) -> Report | None:
        """None for a check that nobody knows."""
        root, _, one = path.removeprefix("/").partition("/")
        checks = self._checks(root)
        if one:
            if one not in checks:
                return None
            return Report(200, "ok") if checks[one] else Report(500, "internal server error: reason withheld\n")
        left_out = set(_all(query, "exclude"))
        lines, failed = [], []
        for name, passes in checks.items():
            if name in left_out:
                lines.append(f"[+]{name} excluded: ok")
                left_out.discard(name)
            elif passes:
                lines.append(f"[+]{name} ok")
            else:
                lines.append(f"[-]{name} failed: reason withheld")
                failed.append(name)
        if left_out:
            unknown = ",".join(f'"{name}"' for name in sorted(left_out))
            lines.append(f"warn: some health checks cannot be excluded: no matches for {unknown}")
        if failed:
            return Report(500, "\n".join([*lines, f"{root} check failed", ""]))
        if "verbose" not in query:
            return Report(200, "ok")
        return Report(200, "\n".join([*lines, f"{root} check passed", ""]))

    def _checks(self, root: str) -> dict[str, bool]:
        names = [
            *_ALWAYS,
            *(_READY if root == "readyz" else ()),
            *_STARTED,
            *(("shutdown",) if root == "readyz" else ()),
        ]
        alive, ready = self._is_alive(), self._is_ready()
        return {
            name: alive if name.startswith("etcd") else ready if name in _STARTED or name == "shutdown" else True
            for name in names
        }
