"""What the API shows of an object: values of Secrets never, only whether two of them are the same.

Pages and Argo CD's clients compare live and desired by their masks, so one value has one mask as long as the process lives.
"""

from __future__ import annotations

import secrets as random
from typing import Any

from trueup.model.manifest import Manifest, api_version_of, kind_of
from trueup.sources.giturl import mask_url
from trueup.sync.canonical import masked, masking_of

KEY = random.token_bytes(32)
HIDDEN_ANNOTATIONS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


def shown(manifest: Manifest, *, managed_fields: bool = False) -> Manifest:
    """A copy for eyes. managedFields are noise unless they are asked for; of a URL with a password the user part goes."""
    result: Manifest = _without_passwords(masked(manifest, masking_of(manifest), KEY))
    metadata = result.get("metadata")
    if isinstance(metadata, dict) and not managed_fields and "managedFields" in metadata:
        result = {**result, "metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}
    return result


def is_secret(manifest: Manifest) -> bool:
    return kind_of(manifest) == "Secret" and api_version_of(manifest) == "v1"


def _without_passwords(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_passwords(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_passwords(item) for item in value]
    return mask_url(value) if isinstance(value, str) and "://" in value and "@" in value else value


def refuse_masks(body: Any) -> bool:
    """Whether something in a patch is one of our masks: it would write the mask in place of the value."""
    from trueup.sync.canonical import MASK

    if isinstance(body, dict):
        return any(refuse_masks(value) for value in body.values())
    if isinstance(body, list):
        return any(refuse_masks(value) for value in body)
    return isinstance(body, str) and (body.startswith(MASK) or "://***@" in body)
