"""Nobody grants what he does not have: which of a role's rules a user lacks, told in the real server's words. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping ; follows
component-helpers' auth/rbac/validation (breaking rules down, covering) and pkg/registry/rbac/validation (compacting).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from trueup.embedded.auth.identity import User
from trueup.embedded.auth.rbac import ALL, Rule, path_matches
from trueup.embedded.gowords import quoted


class Piece(Struct, frozen=True):
    """The smallest grant: one verb on one resource, at most one name of it, or on one path."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""


def pieces(rules: Iterable[Mapping[str, Any]]) -> Iterator[Piece]:
    """Rules of a manifest, broken down in their order."""
    for rule in rules:
        verbs = rule.get("verbs") or ()
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for verb in verbs:
                    for name in rule.get("resourceNames") or ("",):
                        yield Piece(verb, group, resource, name)
        for path in rule.get("nonResourceURLs") or ():
            for verb in verbs:
                yield Piece(verb, path=path)


def covers(held: Rule, wanted: Piece) -> bool:
    """Whether a rule grants at least this piece."""
    if ALL not in held.verbs and wanted.verb not in held.verbs:
        return False
    if wanted.path:
        return any(path_matches(pattern, wanted.path) for pattern in held.paths)
    if ALL not in held.groups and wanted.group not in held.groups:
        return False
    _, slash, subresource = wanted.resource.partition("/")
    if not {ALL, wanted.resource, f"{ALL}/{subresource}" if slash else ALL} & set(held.resources):
        return False
    return not held.names or (bool(wanted.name) and wanted.name in held.names)


def lacking(held: Sequence[Rule], granted: Iterable[Mapping[str, Any]]) -> list[Piece]:
    """What `granted` holds and `held` does not."""
    return [piece for piece in pieces(granted) if not any(covers(rule, piece) for rule in held)]


def refusal(user: User, missing: Sequence[Piece], errors: Sequence[str] = ()) -> str:
    """`errors` are the roles of the user that could not be found."""
    said = "\n".join(sorted(set(_compacted(missing))))
    message = (
        f"user {quoted(user.name)} (groups={_list(user.groups)}) is attempting to grant RBAC permissions not currently "
        f"held:\n{said}"
    )
    return f"{message}; resolution errors: [{' '.join(errors)}]" if errors else message


def _compacted(missing: Sequence[Piece]) -> Iterator[str]:
    """Verbs of one resource stand together; paths stand alone."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for piece in missing:
        if piece.path:
            yield f"{{NonResourceURLs:{_list([piece.path])}, Verbs:{_list([piece.verb])}}}"
            continue
        known = verbs.setdefault((piece.group, piece.resource, piece.name), [])
        if piece.verb not in known:
            known.append(piece.verb)
    for (group, resource, name), found in verbs.items():
        names = f"ResourceNames:{_list([name])}, " if name else ""
        yield f"{{APIGroups:{_list([group])}, Resources:{_list([resource])}, {names}Verbs:{_list(found)}}}"


def _list(texts: Iterable[str]) -> str:
    """A list of strings as Go's `%q` shows it."""
    return f"[{' '.join(map(quoted, texts))}]"
