"""What a write leaves as it is: the status, when it is to the object itself, all else when it is to the status or another
subresource; and whether what it changed is a new wish, which the generation counts."""

from __future__ import annotations

from trueup.embedded.api import metadata, podparts, rules
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.resetfields import metadata_of_status_write
from trueup.embedded.storage.keys import Resource
from trueup.model.manifest import Manifest

_PODS = Resource("", "pods")


def isolate(kind: Kind, wanted: Manifest, live: Manifest, subresource: str) -> None:
    """Takes over from `live` what this request must not touch: status from the main resource, all else from status."""
    metadata.keep_for_update_except_version(wanted, live)
    if subresource:
        _keep_all_but(kind, subresource, wanted, live)
    else:
        reset_status(kind, wanted, live)


def reset_status(kind: Kind, wanted: Manifest, live: Manifest | None) -> None:
    """Status is not the main resource's to write: it stays as it is, and a new object begins without."""
    if not kind.has_status or (live is None and not rules.of(kind.storage).resets_status):
        return
    if live is not None and "status" in live:
        wanted["status"] = live["status"]
    else:
        wanted.pop("status", None)


def _keep_all_but(kind: Kind, subresource: str, wanted: Manifest, live: Manifest) -> None:
    """A status write brings status alone; `finalize` brings a namespace's finalizers, `approval` a request's conditions."""
    field = "spec" if subresource == "finalize" or subresource in podparts.NAMES else "status"
    meta = metadata_of_status_write(kind, subresource, wanted["metadata"], live["metadata"])
    brought = podparts.bring(subresource, wanted, live) if subresource in podparts.NAMES else wanted.get(field)
    for name in list(wanted):
        if name not in live:
            del wanted[name]
    wanted.update({name: value for name, value in live.items() if name != field})
    wanted["metadata"] = meta
    if brought is not None:
        wanted[field] = brought
    else:
        wanted.pop(field, None)


def count_generation(kind: Kind, new: Manifest, old: Manifest, *, counts: bool) -> None:
    if not counts and not kind.is_custom:
        return
    aside = {"metadata", "status"} if kind.has_status or not kind.is_custom else {"metadata"}
    before, after = ({k: v for k, v in each.items() if k not in aside} for each in (old, new))
    if kind.storage == _PODS:  # that a pod got a node is no new wish about it
        before, after = (
            {**each, "spec": {k: v for k, v in each["spec"].items() if k != "nodeName"}} for each in (before, after)
        )
    if before != after:
        new["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1
