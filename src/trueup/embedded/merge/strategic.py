"""Strategic merge patch: a merge patch whose lists are merged by key or value where the schema says so.

Directives: `$patch` (replace, delete), `$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`.
Rules: k8s.io/apimachinery, pkg/util/strategicpatch. Nothing given is changed; what stays the same is shared.
"""

from __future__ import annotations

from typing import Any, Final

from trueup.embedded.gowords import GO_TYPES, go_plain
from trueup.embedded.merge.errors import BAD_REQUEST, INTERNAL, UNPROCESSABLE, PatchError
from trueup.embedded.merge.ordering import by_order, interleave
from trueup.embedded.schema.node import SchemaNode
from trueup.model.manifest import Manifest

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
ORDER_PREFIX: Final = "$setElementOrder"
DELETE_PREFIX: Final = "$deleteFromPrimitiveList"


def strategic_merge(live: Manifest, patch: Manifest, node: SchemaNode | None) -> Manifest:
    """The live object with the patch merged in. Raises PatchError; 415 when the kind has no built-in schema."""
    if node is None:
        message = (
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
        raise PatchError(message, 415)
    return _merge_map(live, patch, node)


def _merge_map(live: dict[str, Any], patch: dict[str, Any], node: SchemaNode) -> dict[str, Any]:
    if DIRECTIVE in patch:
        return _replaced(patch)
    out = dict(live)
    rest = dict(patch)
    _retain_keys(out, rest)
    _set_orders(out, rest, node)
    for key, value in rest.items():
        if key.startswith(DELETE_PREFIX):
            name = _list_name(key, DELETE_PREFIX)
            if isinstance(out.get(name), list) and isinstance(value, list):
                out[name] = _merge_list(out[name], value, _field(node, name), delete=True)
            elif value is None:
                out.pop(name, None)
            continue
        if value is None:
            out.pop(key, None)
            continue
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            field = _field(node, key)
            out[key] = value if "replace" in field.patch_strategies else _merge_map(old, value, field)
        elif isinstance(old, list) and isinstance(value, list):
            field = _field(node, key)
            out[key] = _merge_list(old, value, field) if "merge" in field.patch_strategies else value
        else:
            # Nothing to merge with: the value is taken as it is, less its nulls and directives.
            kept = _plain(value, nulls=key in out and type(old) is type(value))
            if kept is _GONE:
                out.pop(key, None)
            else:
                out[key] = kept
    return out


def _replaced(patch: dict[str, Any]) -> dict[str, Any]:
    match patch[DIRECTIVE]:
        case "replace":
            return {key: value for key, value in patch.items() if key != DIRECTIVE}
        case "delete":
            return {}
        case other:
            raise _unknown_directive(other, patch)


def _retain_keys(out: dict[str, Any], patch: dict[str, Any]) -> None:
    if RETAIN_KEYS not in patch:
        return
    keys = patch.pop(RETAIN_KEYS)
    if not isinstance(keys, list) or any(
        value is not None and key not in keys and not key.startswith((DELETE_PREFIX, ORDER_PREFIX))
        for key, value in patch.items()
    ):
        raise PatchError("invalid patch format of retainKeys", BAD_REQUEST)
    for key in [key for key in out if key not in keys]:
        del out[key]


def _set_orders(out: dict[str, Any], patch: dict[str, Any], node: SchemaNode) -> None:
    """Merges each list that the patch gives an order for, and takes both out of the patch."""
    for directive in [key for key in patch if key.startswith(ORDER_PREFIX)]:
        order = _as_list(patch.pop(directive))
        name = _list_name(directive, ORDER_PREFIX)
        field = _field(node, name)
        old = _as_list(out[name]) if name in out else None
        new = _as_list(patch[name]) if name in patch else None
        merge_key = field.patch_merge_key
        _check_order(new or [], order, merge_key)
        if old is None and new is None:
            continue
        if new is None:
            merged = list(old or [])
        elif old is None:
            merged = [item for item in map(_plain, new) if item is not _GONE]
        else:
            merged = _merge_list(old, new, field) if "merge" in field.patch_strategies else new
        maps = _are_maps(old or [], new or [])
        known = {_identity(item, merge_key) for item in order}
        if merge_key:
            for item in merged:
                _need_key(item, merge_key)
        patched = [item for item in merged if _identity(item, merge_key) in known]
        others = [item for item in merged if _identity(item, merge_key) not in known]
        key = merge_key if maps else ""
        out[name] = _ordered(patched, others, order, old or [], key)
        patch.pop(name, None)


def _merge_list(old: list[Any], patch: list[Any], node: SchemaNode, *, delete: bool = False) -> list[Any]:
    if not old and not patch:
        return old
    merge_key = node.patch_merge_key
    if not _are_maps(old, patch):
        if delete:
            return [item for item in old if not any(item is one or item == one for one in patch)]
        merged = _deduplicated([*old, *patch])
        kept, merge_key = patch, ""
    else:
        if not merge_key:
            raise PatchError(f"cannot merge lists without merge key for {node.type or 'struct'}", INTERNAL)
        before, kept = _apply_list_directives(old, patch, merge_key)
        if before is None:
            return kept
        old = before
        merged = _merge_items(before, kept, merge_key, node)
        for item in merged:
            _need_key(item, merge_key)
    named = {_identity(item, merge_key) for item in kept}
    patched = [item for item in merged if _identity(item, merge_key) in named]
    others = [item for item in merged if _identity(item, merge_key) not in named]
    return _ordered(patched, others, kept, old, merge_key)


def _apply_list_directives(old: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any] | None, list[Any]]:
    """Carries out the items that are directives. None for the old list: the patch's items replace it."""
    kept: list[Any] = []
    replace = False
    for item in patch:
        if DIRECTIVE not in item:
            kept.append(item)
            continue
        match item[DIRECTIVE]:
            case "delete":
                _need_key(item, merge_key)
                wanted = _identity(item, merge_key)
                old = [one for one in old if _identity(one, merge_key) != wanted]
            case "replace":
                replace = True
            case "merge":
                raise PatchError("merging lists cannot yet be specified in the patch", INTERNAL)
            case other:
                raise _unknown_directive(other, item)
    return (None, kept) if replace else (old, kept)


def _merge_items(old: list[Any], patch: list[Any], merge_key: str, node: SchemaNode) -> list[Any]:
    out = list(old)
    places: dict[Any, int] = {}
    for index, item in enumerate(out):
        if merge_key in item:
            places.setdefault(_identity(item, merge_key), index)
    for item in patch:
        _need_key(item, merge_key)
        place = places.get(_identity(item, merge_key))
        if place is None:
            places[_identity(item, merge_key)] = len(out)
            out.append(item)
        else:
            out[place] = _merge_map(out[place], item, node.items)
    return out


def _ordered(patched: list[Any], others: list[Any], order: list[Any], live: list[Any], merge_key: str) -> list[Any]:
    """What the patch names stands in the patch's order; the rest keeps its place among it as in the live list."""

    def identity(item: Any) -> Any:
        return _identity(item, merge_key)

    deleted = [item for item in patched if isinstance(item, dict) and item.get(DIRECTIVE) == "delete"]
    kept = [item for item in patched if not any(item is one for one in deleted)]
    return interleave(by_order(others, live, identity), [*by_order(kept, order, identity), *deleted], live, identity)


def _check_order(items: list[Any], order: list[Any], merge_key: str) -> None:
    """The items of a patch must stand in its `$setElementOrder`, in the same order."""
    if not items or not order:
        return
    wanted = iter(order)
    for item in items:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        if merge_key:
            _need_key(item, merge_key)
        if not any(_identity(item, merge_key) == _identity(one, merge_key) for one in wanted):
            raise PatchError(
                f"The order in patch list:\n{go_plain(items)}\n doesn't match {ORDER_PREFIX} list:\n{go_plain(order)}\n",
                INTERNAL,
            )


_GONE: Final = object()


def _plain(value: Any, *, nulls: bool = False) -> Any:
    """A value without directives (a map with `$patch` goes as a whole) and, unless kept, without nulls."""
    if isinstance(value, dict):
        if DIRECTIVE in value:
            return _GONE
        out = {}
        for key, item in value.items():
            if (item is None and not nulls) or (kept := _plain(item, nulls=nulls)) is _GONE:
                continue
            out[key] = kept
        return out
    if isinstance(value, list):
        return [kept for item in value if (kept := _plain(item, nulls=nulls)) is not _GONE]
    return value


def _field(node: SchemaNode, name: str) -> SchemaNode:
    found = node.properties.get(name)
    if found is None:
        kind = node.name.rpartition(".")[2]
        raise PatchError(f'unable to find api field in struct {kind} for the json field "{name}"', INTERNAL)
    return found


def _list_name(directive: str, prefix: str) -> str:
    head, slash, name = directive.partition("/")
    if not slash or head != prefix:
        which = "primitive list" if prefix == DELETE_PREFIX else "setElementOrder list"
        raise PatchError(f"invalid patch format of {which}", BAD_REQUEST)
    return name


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError(f"expected a []interface {{}}, but received a {GO_TYPES[type(value)]}", INTERNAL)
    return value


def _are_maps(*lists: list[Any]) -> bool:
    """Whether the items are maps; all must be of one type, and none a list."""
    types = {type(item) for items in lists for item in items}
    if list in types:
        raise PatchError("the server rejected our request due to an error in our request", UNPROCESSABLE)
    if not types:
        raise PatchError("no elements in any of the given slices", INTERNAL)
    if len(types) > 1:
        raise PatchError(f"list element types are not identical: {go_plain(list(lists))}", INTERNAL)
    return types == {dict}


def _need_key(item: Any, merge_key: str) -> None:
    if not isinstance(item, dict):
        raise PatchError(f"expected a map[string]interface {{}}, but received a {GO_TYPES[type(item)]}", INTERNAL)
    if merge_key not in item:
        raise PatchError(f"map: {go_plain(item)} does not contain declared merge key: {merge_key}", INTERNAL)


def _identity(item: Any, merge_key: str) -> Any:
    value = item.get(merge_key) if merge_key and isinstance(item, dict) else item
    return (type(value) is bool, value) if not isinstance(value, dict | list) else repr(value)


def _deduplicated(items: list[Any]) -> list[Any]:
    """The peer's way: a later twin is replaced by the last item, so the order is only settled afterwards."""
    out = list(items)
    index = 0
    while index < len(out) - 1:
        other = index + 1
        while other < len(out):
            if _identity(out[index], "") == _identity(out[other], ""):
                out[other] = out[-1]
                out.pop()
            else:
                other += 1
        index += 1
    return out


def _unknown_directive(directive: Any, patch: dict[str, Any]) -> PatchError:
    return PatchError(f"unknown patch type: {directive} in map: {go_plain(patch)}", INTERNAL)
