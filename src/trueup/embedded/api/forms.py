"""Objects, lists and watch events as bytes in the form that was asked for. Each record is encoded once per form."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import yaml

from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.negotiation import YAML, Form, View
from trueup.embedded.api.tables import table_of
from trueup.embedded.storage.record import Record
from trueup.model.manifest import Manifest

_encode = msgspec.json.Encoder().encode


def encode(manifest: Manifest, form: Form) -> bytes:
    """A whole answer: JSON with the newline that Go's encoder ends with, or YAML."""
    if form.media_type == YAML:
        return yaml.dump(manifest, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True).encode()
    return _encode(manifest) + b"\n"


def object_json(kind: Kind, record: Record) -> bytes:
    """The record as compact JSON in the kind's version."""
    if kind.is_stored_version and not kind.reads_anew and record.resource_version > kind.changed:
        return record.json
    key = (kind.api_version, kind.changed)
    return record.encoded(key, lambda manifest: _encode(kind.from_storage(manifest)))


def metadata_only(manifest: Manifest, version: str) -> Manifest:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": manifest["metadata"],
    }


def single(kind: Kind, manifest: Manifest, form: Form, include: str = "Metadata", *, columns: bool = True) -> Manifest:
    """One object, which is in the kind's version, in a view."""
    match form.view:
        case View.TABLE:
            meta = {"resourceVersion": manifest["metadata"].get("resourceVersion", "")}
            return table_of(kind, [manifest], form.version, include, meta, columns=columns)
        case View.METADATA:
            return metadata_only(manifest, form.version)
        case _:
            return manifest


def record_json(kind: Kind, record: Record, form: Form, include: str = "Metadata", *, columns: bool = True) -> bytes:
    """One record in a view, as compact JSON."""
    if form.view is View.FULL:
        return object_json(kind, record)
    if form.view is View.TABLE:
        return _table_json(kind, record, form, include, columns)
    key = (kind.api_version, kind.changed, form.view, form.version)
    return record.encoded(key, lambda manifest: _encode(metadata_only(kind.from_storage(manifest), form.version)))


_recent_tables: dict[tuple[object, ...], bytes] = {}
_RECENT = 256


def _table_json(kind: Kind, record: Record, form: Form, include: str, columns: bool) -> bytes:
    """A record's own table. Ages are said as of now, so it serves only those who ask within the same second: the watches
    that an event goes to."""
    key = (kind.api_version, record, form.version, include, columns, int(time.time()))
    if (found := _recent_tables.get(key)) is None:
        if len(_recent_tables) >= _RECENT:
            del _recent_tables[next(iter(_recent_tables))]
        manifest = kind.from_storage(record.manifest)
        found = _recent_tables[key] = _encode(single(kind, manifest, form, include, columns=columns))
    return found


def list_json(kind: Kind, records: Iterable[Record], meta: Manifest, form: Form, include: str = "Metadata") -> bytes:
    """A list answer. Full lists are joined from the records' own encodings."""
    if form.view is View.TABLE:
        manifests = [kind.from_storage(record.manifest) for record in records]
        return encode(table_of(kind, manifests, form.version, include, meta), form)
    if form.view is View.METADATA_LIST:
        name, api_version = "PartialObjectMetadataList", f"meta.k8s.io/{form.version}"
        item = Form(view=View.METADATA, version=form.version)
    else:
        name, api_version, item = kind.list_kind, kind.api_version, Form()
    head = _encode({"kind": name, "apiVersion": api_version, "metadata": meta})
    if item.view is View.FULL and not kind.is_custom:
        # Go's typed lists leave out what their items would all say again.
        items = b",".join(_item_json(kind, record) for record in records)
    else:
        items = b",".join(record_json(kind, record, item) for record in records)
    if not items and item.is_metadata:
        joined = head[:-1] + b',"items":null}\n'  # a Go slice that was never made
        return encode(msgspec.json.decode(joined), form) if form.media_type == YAML else joined
    joined = head[:-1] + b',"items":[' + items + b"]}\n"
    return encode(msgspec.json.decode(joined), form) if form.media_type == YAML else joined


def _item_json(kind: Kind, record: Record) -> bytes:
    def make(manifest: Manifest) -> bytes:
        shown = kind.from_storage(manifest)
        return _encode({key: value for key, value in shown.items() if key not in ("apiVersion", "kind")})

    return record.encoded((kind.api_version, "item"), make)


def event_json(type_: str, body: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"' + type_.encode() + b'","object":' + body + b"}\n"
