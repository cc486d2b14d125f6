"""Gets and lists: which records answer a request, at which version, page by page.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions and #retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from trueup.embedded.api import pagetokens, refusals
from trueup.embedded.api.fieldgrammar import parse_fields
from trueup.embedded.api.fieldlabels import COMMON, readers_for
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.labelgrammar import parse_labels
from trueup.embedded.api.options import ListOptions
from trueup.embedded.api.pagetokens import NEWEST, PageToken
from trueup.embedded.api.selectors import FieldSelector, LabelSelector
from trueup.embedded.storage.history import HistoryLost
from trueup.embedded.storage.record import Record
from trueup.embedded.storage.store import Store

_STALE_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted "
    "between the time the first chunk was returned and now may show up in the list."
)
_STALE_VERSION = "The resourceVersion for the provided list is too old."
_UNKNOWN_LABEL = "field label not supported: {path}"
_UNKNOWN_OF_JOB = "field label {quoted} not supported for Job"
_UNKNOWN_FIELD = '{quoted} is not a known field selector: only "metadata.name", "metadata.namespace"'


class Selection(Struct, frozen=True):
    """What of a collection a request speaks of."""

    namespace: str
    labels: LabelSelector
    fields: FieldSelector
    name: str = ""

    @property
    def is_everything(self) -> bool:
        return not (self.labels.requirements or self.fields.terms or self.name)

    @property
    def single_name(self) -> str:
        """The name that the fields ask for, if they ask for one."""
        return next((value for path, value, equal in self.fields.terms if equal and path == "metadata.name"), "")

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


def selection(kind: Kind, namespace: str, options: ListOptions, name: str = "") -> Selection:
    """Raises 400 for a selector that cannot be understood."""
    labels = parse_labels(options.label_selector)
    readers = readers_for(kind.storage, kind.selectable_fields, kind.group)
    own = kind.is_custom or len(readers) > len(COMMON)
    unknown = _UNKNOWN_OF_JOB if kind.name == "Job" and not kind.is_custom else _UNKNOWN_LABEL
    fields = parse_fields(options.field_selector, readers, unknown if own else _UNKNOWN_FIELD)
    return Selection(namespace, labels, fields, name)


def get(store: Store, kind: Kind, namespace: str, name: str, version: str = "") -> Record:
    """Raises NotFound; 500 and 504 for a `version` that is none or of the future."""
    if version not in ("", "0") and (asked := watch_version(version)) > store.resource_version:
        raise too_large_version(asked, store.resource_version)
    if (record := store.get(kind.storage, namespace, name)) is None:
        raise refusals.not_found(kind.resource, name)
    return record


def page(store: Store, kind: Kind, chosen: Selection, options: ListOptions) -> Page:
    """Raises 400 for versions and tokens that are none, 410 for ones that are too old, 504 for ones of the future."""
    version, start = store.resource_version, ""
    prefix = chosen.namespace
    exact = False
    if options.continue_:
        token = pagetokens.read(options.continue_)
        if options.resource_version not in ("", "0"):
            raise refusals.bad_request("specifying resource version is not allowed when using continue")
        start = pagetokens.path_of(token, prefix)
        if token.rv != NEWEST:
            version, exact = token.rv, True
    elif options.resource_version not in ("", "0"):
        asked = version_number(options.resource_version)
        if asked > version:
            raise too_large_version(asked, version)
        if options.resource_version_match == "Exact" or (options.limit and not options.resource_version_match):
            version, exact = asked, True
    try:
        found = iter(
            store.scan_at(kind.storage, version, chosen.namespace, start)
            if exact
            else store.scan(kind.storage, chosen.namespace, start)
        )
    except HistoryLost as lost:
        if options.continue_:
            raise refusals.expired(
                _STALE_CONTINUE, pagetokens.write(PageToken(rv=NEWEST, start=token.start.removeprefix("/")))
            ) from lost
        raise refusals.expired(_STALE_VERSION) from lost
    if (name := chosen.single_name) and (prefix or not kind.namespaced):
        found = (each for each in found if each.key.name == name)
    matching = found if chosen.is_everything else (each for each in found if chosen.matches(each))
    if options.limit <= 0:
        return Page(list(matching), version)
    records = list(islice(matching, options.limit))
    # Whether another page can have something is a question about all objects, as in the real server.
    left = sum(1 for _ in found)
    if not left:
        return Page(records, version)
    next_page = pagetokens.write(pagetokens.after(records[-1].key, prefix, version))
    return Page(records, version, next_page, left if chosen.is_everything else None)


def version_number(text: str) -> int:
    """Raises 400 as the real server does for a version that is no number."""
    if not text.isdigit():
        raise refusals.bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def watch_version(text: str) -> int:
    """As `version_number`, where the real server forgets to say that it is the client's fault."""
    if not text.isdigit():
        detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise refusals.ApiError(500, "", f'resourceVersion: Invalid value: "{text}": {detail}')
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
