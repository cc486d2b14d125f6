"""JSON merge patch, RFC 7386."""

from __future__ import annotations

from typing import Any

from trueup.model.manifest import Manifest


def merge_patch(live: Manifest, patch: Manifest) -> Manifest:
    """The live object with the patch merged in. Nothing given is changed; what stays the same is shared."""
    out = dict(live)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = _merged(out.get(key), value)
    return out


def _merged(old: Any, value: Any) -> Any:
    return merge_patch(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
