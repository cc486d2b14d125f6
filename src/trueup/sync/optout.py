"""By which marks one object leaves a rule: `prune: disabled`, `ssa: IfNotPresent`, `sync-options: Prune=false`, ...

The dialect says which keys and values (`OptOut`); here they are looked up in labels and annotations, of the declared
object and of the live one.
"""

from __future__ import annotations

from collections.abc import Mapping

from trueup.model.app import OptOut, Owner

Pairs = tuple[tuple[str, str], ...]
TRACKING_ID = "argocd.argoproj.io/tracking-id"


def has_mark(
    pairs: Pairs, labels: Mapping[str, str], annotations: Mapping[str, str], options_annotation: str = ""
) -> bool:
    """Whether any pair is among the labels or annotations; values are compared without regard to case."""
    for key, value in pairs:
        for marks in (annotations, labels):
            found = marks.get(key)
            if not isinstance(found, str):
                continue
            words = found.split(",") if key == options_annotation else [found]
            if any(word.strip().lower() == value for word in words):
                return True
    return False


def is_extraneous_ignored(opt_out: OptOut, annotations: Mapping[str, str]) -> bool:
    return any(has_mark((pair,), {}, annotations, pair[0]) for pair in opt_out.ignore_extraneous)


def mark_keys(owner: Owner, opt_out: OptOut) -> frozenset[str]:
    """The label and annotation keys that the engine ever looks at; the live view keeps these and no others."""
    lists = (
        opt_out.never_prune,
        opt_out.never_delete,
        opt_out.never_apply,
        opt_out.only_create,
        opt_out.merge,
        opt_out.force,
        opt_out.replace,
        opt_out.prune_last,
        opt_out.confirm_prune,
        opt_out.confirm_delete,
        opt_out.never_heal,
        opt_out.ignore_health,
        opt_out.ignore_extraneous,
    )
    keys = {key for pairs in lists for key, _ in pairs} | set(owner.labels) | set(owner.annotations)
    if owner.tracking_id_prefix:
        keys.add(TRACKING_ID)
    return frozenset(keys)
