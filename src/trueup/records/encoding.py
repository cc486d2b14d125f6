"""Records as rows and back. Pure, and all of it runs in the writer's thread: `put` only hands values over.

A manifest is compressed only when its content has not been stored lately; its digest decides.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Container
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from trueup.model.change import Change
from trueup.model.refs import ObjectRef
from trueup.records.record import Record, RecordKind, StoredManifest, StoredRecord
from trueup.records.tables import APPLIED, DESIRED

LONGEST_TEXT = 64 * 1024
"""Characters of a message that are kept; a cluster's answers may be longer."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode_changes = msgspec.json.Encoder().encode
_decode_changes = msgspec.json.Decoder(tuple[Change, ...]).decode

Row = dict[str, Any]


class Encoded(msgspec.Struct, frozen=True):
    """One record ready to insert; `links` still lack the record's id."""

    row: Row
    links: tuple[Row, ...]
    bodies: dict[bytes, bytes]
    """Digest -> compressed content, of manifests that may not be in the database yet."""


def encode(record: Record, known: Container[bytes] = ()) -> Encoded:
    """`known` holds digests that need no body. Raises ValueError (UnicodeError) for text that is no text."""
    links: list[Row] = []
    bodies: dict[bytes, bytes] = {}
    for position, stored in enumerate(record.manifests):
        for role, content in ((DESIRED, stored.desired), (APPLIED, stored.applied)):
            if not content:
                continue
            digest = hashlib.sha256(content).digest()
            if digest not in known and digest not in bodies:
                bodies[digest] = zlib.compress(content, 1)
            ref = stored.ref
            links.append(
                {
                    "position": position,
                    "role": role,
                    "ref_group": ref.group,
                    "ref_kind": ref.kind,
                    "ref_namespace": ref.namespace,
                    "ref_name": ref.name,
                    "digest": digest,
                }
            )
    changes = _encode_changes(record.changes).decode()
    message = _text(record.message)
    return Encoded(
        row={
            "at_us": microseconds(record.at),
            "kind": record.kind.value,
            "app_group": record.app.group,
            "app_kind": record.app.kind,
            "app_namespace": record.app.namespace,
            "app_name": record.app.name,
            "size": len(changes) + len(message) + 100 * len(links) + sum(map(len, bodies.values())),
            "manifest_count": len(record.manifests),
            "took_us": record.took // _MICROSECOND,
            "dialect": record.dialect,
            "result": record.result,
            "reason": _text(record.reason),
            "revision": _text(record.revision),
            "initiated_by": _text(record.initiated_by),
            "message": message,
            "changes": changes,
        },
        links=tuple(links),
        bodies=bodies,
    )


def decode(row: Any) -> StoredRecord:
    """A row of `tables.records`."""
    return StoredRecord(
        id=row.id,
        kind=RecordKind(row.kind),
        app=ObjectRef(row.app_group, row.app_kind, row.app_namespace, row.app_name),
        dialect=row.dialect,
        at=moment(row.at_us),
        took=timedelta(microseconds=row.took_us),
        revision=row.revision,
        result=row.result,
        reason=row.reason,
        message=row.message,
        initiated_by=row.initiated_by,
        changes=_decode_changes(row.changes),
        manifest_count=row.manifest_count,
    )


def decode_manifests(rows: list[Any]) -> tuple[StoredManifest, ...]:
    """Rows of `record_manifests` with their bodies, sorted by position."""
    found: dict[int, StoredManifest] = {}
    for row in rows:
        ref = ObjectRef(row.ref_group, row.ref_kind, row.ref_namespace, row.ref_name)
        before = found.get(row.position, StoredManifest(ref, b""))
        content = zlib.decompress(row.body)
        if row.role == DESIRED:
            found[row.position] = StoredManifest(ref, content, before.applied)
        else:
            found[row.position] = StoredManifest(ref, before.desired, content)
    return tuple(found[position] for position in sorted(found))


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _text(text: str) -> str:
    """What both databases can hold: PostgreSQL has no NUL, and half a surrogate pair is no character."""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + " …"
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
