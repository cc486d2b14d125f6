"""Which form an answer takes: the Accept header against JSON, YAML, tables and metadata only.

Typed Go clients ask for protobuf first and JSON second, and get JSON; only a client that takes nothing else gets a 406.
https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from trueup.embedded.api.refusals import ApiError, not_acceptable, view_not_acceptable

JSON = "application/json"
YAML = "application/yaml"
SERVED = (JSON, YAML, "application/vnd.kubernetes.protobuf")
STREAMED = (*SERVED, "application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
"""What collections are served as, which can be watched."""
META_GROUP = "meta.k8s.io"


class View(StrEnum):
    """What of an object is shown."""

    FULL = ""
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


class Form(Struct, frozen=True):
    """A chosen representation. `version` is the meta.k8s.io version of a transformed view."""

    media_type: str = JSON
    view: View = View.FULL
    version: str = "v1"

    @property
    def is_metadata(self) -> bool:
        return self.view in (View.METADATA, View.METADATA_LIST)


DEFAULT = Form()


@lru_cache(maxsize=512)
def choose(accept: str, *, of_collection: bool = False) -> Form:
    """The best form for an Accept header of one object, or of a collection. Raises 406."""
    if not accept.strip():
        return DEFAULT
    asked_view = False
    for media_type, parameters in _preferences(accept):
        if media_type == "*/*":
            media_type = JSON
        if media_type not in (JSON, YAML):
            continue
        if (wanted := parameters.get("as", "")) == "":
            return Form(media_type)
        known = wanted in (View.TABLE, View.METADATA, View.METADATA_LIST)
        asked_view = True
        if known and parameters.get("g") == META_GROUP and parameters.get("v") in ("v1", "v1beta1"):
            return Form(media_type, View(wanted), parameters["v"])
    if asked_view:
        raise view_not_acceptable(SERVED)
    raise not_acceptable(STREAMED if of_collection else SERVED)


def of_status(accept: str) -> Form:
    """The form of a Status: YAML for those who want objects in YAML, JSON for everybody else."""
    try:
        form = choose(accept)
    except ApiError:
        return DEFAULT
    return form if form.view is View.FULL else DEFAULT


def check_custom(accept: str) -> None:
    """Custom resources refuse what they are not served as in words of their own, whatever is done. Raises 406."""
    try:
        choose(accept)
    except ApiError as error:
        raise view_not_acceptable(SERVED) from error


def choose_stream(accept: str) -> Form:
    """The form of a watch's events. Raises 406 for YAML too, which has no streams."""
    form = choose(accept, of_collection=True)
    if form.media_type == YAML:
        raise view_not_acceptable(STREAMED[len(SERVED) :])
    return form


def choose_among(offered: Sequence[str], accept: str) -> str | None:
    """The offered media type that an Accept header likes best; the first one for a header that takes anything."""
    for media_type, _ in _preferences(accept or "*/*"):
        for each in offered:
            if media_type in (each, "*/*", f"{each.partition('/')[0]}/*"):
                return each
    return None


def _preferences(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with parameters, by falling quality; equals keep their order."""
    clauses = []
    for clause in accept.split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in (part.partition("=") for part in rest)}
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        if media_type and quality > 0:
            clauses.append((quality, media_type.lower(), parameters))
    clauses.sort(key=lambda each: -each[0])
    return [(media_type, parameters) for _, media_type, parameters in clauses]
