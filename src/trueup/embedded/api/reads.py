"""Gets and lists: which records answer a request, at which version, page by page.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions and #retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from trueup.embedded.api import refusals
from trueup.embedded.api.fieldlabels import COMMON, readers_for
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import ListOptions
from trueup.embedded.api.selectors import FieldSelector, LabelSelector, parse_fields, parse_labels
from trueup.embedded.storage.history import HistoryLost
from trueup.embedded.storage.keys import Key
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store

_STALE_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)


_UNKNOWN_LABEL = "field label not supported: {path}"
_UNKNOWN_FIELD = '"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


class Selection(Struct, frozen=True):
    """What of a collection a request speaks of."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector
    name: str = ""

    @property
    def is_everything(self) -> bool:
        return not (self.labels.requirements or self.fields.terms or self.name)

    def matches(self, record: Record) -> bool:
        if self.namespace and record.key.namespace != self.namespace:
            return False
        if self.name and record.key.name != self.name:
            return False
        return self.is_everything or (self.labels.matches(record.manifest) and self.fields.matches(record.manifest))


class Page(Struct, frozen=True):
    """One answer to a list."""

    records: list[Record]
    resource_version: int
    continue_: str = ""
    remaining: int | None = None


class _Token(Struct, frozen=True):
    """The continue token: where the next page starts, and the version that all pages show."""

    v: str
    rv: int
    start: tuple[str, str]


def selection(kind: Kind, namespace: str, options: ListOptions, name: str = "") -> Selection:
    """Raises 400 for a selector that cannot be understood."""
    try:
        labels = parse_labels(options.label_selector)
    except ValueError as error:
        raise refusals.bad_request(str(error)) from error
    readers = readers_for(kind.storage, kind.selectable_fields)
    own = kind.is_custom or len(readers) > len(COMMON)
    fields = parse_fields(options.field_selector, readers, _UNKNOWN_LABEL if own else _UNKNOWN_FIELD)
    return Selection(namespace, labels, fields, name)


def get(store: Store, kind: Kind, namespace: str, name: str) -> Record:
    """Raises NotFound."""
    if (record := store.get(kind.storage, namespace, name)) is None:
        raise refusals.not_found(kind.resource, name)
    return record


def page(store: Store, kind: Kind, chosen: Selection, options: ListOptions) -> Page:
    """Raises 400 for versions and tokens that are none, 410 for ones that are too old."""
    version, after = store.resource_version, None
    exact = False
    if options.continue_:
        token = _read(options.continue_)
        version, after, exact = token.rv, Key(*token.start), True
        if options.resource_version not in ("", "0"):
            raise refusals.bad_request("specifying resource version is not allowed when using continue")
    elif options.resource_version not in ("", "0"):
        asked = version_number(options.resource_version)
        if asked > version:
            raise too_large_version(asked, version)
        if options.resource_version_match == "Exact" or (options.limit and not options.resource_version_match):
            version, exact = asked, True
    try:
        found = (
            store.scan_at(kind.storage, version, chosen.namespace, after)
            if exact
            else store.scan(kind.storage, chosen.namespace, after)
        )
        records = list(found) if chosen.is_everything else [each for each in found if chosen.matches(each)]
    except HistoryLost as lost:
        stale = _STALE_CONTINUE if options.continue_ else str(lost)
        raise refusals.expired(stale) from lost
    if not options.limit or len(records) <= options.limit:
        return Page(records, version)
    remaining = len(records) - options.limit
    records = records[: options.limit]
    last = records[-1].key
    next_page = _write(_Token("meta.k8s.io/v1", version, (last.namespace, last.name)))
    return Page(records, version, next_page, remaining if chosen.is_everything else None)


def version_number(text: str) -> int:
    """Raises 400 as the real server does for a version that is no number."""
    if not text.isdigit():
        raise refusals.bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def too_large_version(asked: int, current: int) -> Exception:
    """504 with the cause by which client libraries recognise that they are ahead of the server."""
    error = refusals.ApiError(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        causes=(refusals.Cause("ResourceVersionTooLarge", "Too large resource version"),),
    )
    error.retry_after = 1
    return error


def _write(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode().rstrip("=")


def _read(text: str) -> _Token:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=_Token)
    except (binascii.Error, ValueError) as error:
        raise refusals.bad_request(f"continue key is not valid: {error}") from error
