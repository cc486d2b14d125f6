"""One text per value: canonical JSON, keyed digests, and the masking of what must not be shown or stored."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import msgspec

from trueup.model.manifest import Manifest, api_version_of, kind_of

_ENCODER = msgspec.json.Encoder(order="deterministic")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MASK = "hmac:"
LARGE = "large:"
COMPACT_ABOVE = 16 * 1024
"""Bytes of canonical JSON from which a kept cut is made smaller."""
LARGE_VALUE = 1024


class Masking(StrEnum):
    """Which values of an object are replaced by a keyed hash wherever they are kept."""

    NONE = "none"
    SECRET = "secret"  # noqa: S105 a word, not a password
    """`data` and `stringData` of a core Secret."""
    ALL = "all"
    """Every value: a Secret has passed through the text (substituted or decrypted input)."""


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes."""
    return _ENCODER.encode(value)


def compact(value: Any, key: bytes) -> bytes:
    """Canonical JSON in which, when it is long, each long text or list is a keyed hash: equal values still compare equal.

    Otherwise a big ConfigMap or the schema of a CRD would stay in memory for as long as it is managed.
    """
    data = canonical(value)
    return data if len(data) <= COMPACT_ABOVE else canonical(_compacted(value, key))


def _compacted(value: Any, key: bytes) -> Any:
    if isinstance(value, dict):
        return {name: _compacted(item, key) for name, item in value.items()}
    size = len(value) if isinstance(value, str) else len(canonical(value)) if isinstance(value, list) else 0
    return LARGE + keyed_digest(value, key) if size > LARGE_VALUE else value


def keyed_digest(value: Any, key: bytes) -> str:
    """A digest that tells nobody without the key whether they guessed the value. `key` is at most 64 bytes."""
    return hashlib.blake2b(canonical(value), key=key, digest_size=20).hexdigest()


def masking_of(manifest: Manifest, *, tainted: bool = False) -> Masking:
    """How the object is to be kept. `tainted`: the App's render read decrypted or substituted secrets."""
    if tainted:
        return Masking.ALL
    is_secret = kind_of(manifest) == "Secret" and api_version_of(manifest) == "v1"
    return Masking.SECRET if is_secret else Masking.NONE


def masked(manifest: Manifest, masking: Masking, key: bytes) -> Manifest:
    """A copy that may be kept. Identity (apiVersion, kind, name, namespace) always stays readable."""
    if masking is Masking.NONE:
        return manifest
    if masking is Masking.ALL:
        metadata = manifest.get("metadata")
        result: Manifest = {
            name: value if name in ("apiVersion", "kind") else _mask_leaves(value, key)
            for name, value in manifest.items()
        }
        if isinstance(metadata, dict):
            result["metadata"] |= {name: metadata[name] for name in ("name", "namespace") if name in metadata}
        return result
    result = dict(manifest)
    for section in ("data", "stringData"):
        if isinstance(values := manifest.get(section), dict):
            result[section] = {name: mask(value, key) for name, value in values.items()}
    # kubectl's annotation holds the whole Secret in plain text.
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(metadata, dict) and isinstance(annotations, dict) and LAST_APPLIED in annotations:
        hidden = annotations | {LAST_APPLIED: mask(annotations[LAST_APPLIED], key)}
        result["metadata"] = metadata | {"annotations": hidden}
    return result


def mask(value: Any, key: bytes) -> str:
    return MASK + keyed_digest(value, key)


def _mask_leaves(value: Any, key: bytes) -> Any:
    # Names that tell list items apart stay, so that a change can still say where it is.
    if isinstance(value, dict):
        return {
            name: item if name == "name" and isinstance(item, str) else _mask_leaves(item, key)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_mask_leaves(item, key) for item in value]
    return mask(value, key)
