"""The body of a delete, read: DeleteOptions in any version, or a refusal in Go's words.

A body that names no kind is DeleteOptions too. Which options fit together is `options.delete_options`' question.
"""

from __future__ import annotations

from functools import cache

from trueup.embedded.api import body, refusals
from trueup.embedded.api.gotypes import decode_problem
from trueup.embedded.schema import BuiltinSchemas, SchemaNode
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest

KIND = "DeleteOptions"
_PREFIX = "the object provided is unrecognized (must be of type Object): "


def read(raw: bytes, content_type: str) -> Manifest:
    """Raises 400 for what cannot be decoded, 415 for a content type that is not read."""
    try:
        sent = body.decode_object(raw, content_type, find_duplicates=False)
    except ApiError as error:
        if not error.message.startswith(_PREFIX):
            raise
        # No type is expected here, so Go's message neither names one nor quotes the body.
        raise refusals.bad_request(error.message.removeprefix(_PREFIX).rpartition(" (")[0]) from error
    found = sent.manifest
    kind, version = str(found.get("kind") or KIND), str(found.get("apiVersion") or "v1")
    if kind != KIND:
        raise refusals.bad_request(
            f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
        )
    if problem := decode_problem(_schema(), found, sent.literals):
        raise refusals.bad_request(problem)
    return found


@cache
def _schema() -> SchemaNode:
    # Every group's document has it; this is the smallest.
    node = BuiltinSchemas.load().node("coordination.k8s.io", "v1", KIND)
    assert node is not None
    return node
