"""A pin: an App held at a recorded revision by annotation, with who, why and until when. Pure.

`trueup rollback` writes it; Git goes on, and the App follows it again when the pin is taken off or runs out.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.manifest import Manifest, annotations_of, ref_of
from trueup.model.revision import Revision, composite_revision, parse_revision

PIN = "trueup.dev/pin"
PIN_BY = "trueup.dev/pin-by"
PIN_REASON = "trueup.dev/pin-reason"
PIN_UNTIL = "trueup.dev/pin-until"


class Pin(Struct, frozen=True, kw_only=True):
    """`until` None: for ever."""

    revision: Revision
    parts: tuple[Revision, ...] = ()
    """Of several sources: the revision of each; `revision` is then that of all together."""
    by: str = ""
    reason: str = ""
    until: datetime | None = None

    def __str__(self) -> str:
        """`main@sha1:1a2b3c4 by somchai until 2026-11-30T00:00:00Z: checkout is broken`."""
        by = f" by {self.by}" if self.by else ""
        until = f" until {self.until.strftime('%Y-%m-%dT%H:%M:%SZ')}" if self.until else ""
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.revision.short}{by}{until}{reason}"


def pin_text(pin: Pin) -> str:
    """As the annotation says it: of several sources, one after another."""
    return ",".join(map(str, pin.parts)) if pin.parts else str(pin.revision)


def read_revisions(text: str) -> tuple[Revision, ...] | None:
    """`main@sha1:<commit>`, or of several sources `1.2.0,sha1:<commit>`; None: that is none."""
    found = [parse_revision(part.strip()) for part in text.split(",")]
    return tuple(part for part in found if part is not None) if all(found) else None


def whole(parts: tuple[Revision, ...]) -> Revision:
    """The revision of them together; of one, itself."""
    return parts[0] if len(parts) == 1 else composite_revision(parts)


def read_pin(obj: Manifest) -> Pin | None:
    """The pin on an App's resource, whether it has run out or not. Raises InvalidInput naming the annotation."""
    annotations = annotations_of(obj)
    text = str(annotations.get(PIN) or "")
    if not text:
        return None
    revisions = read_revisions(text)
    if revisions is None:
        raise InvalidInput(
            f"{text!r} is not a revision",
            ref=ref_of(obj),
            field=f"metadata.annotations[{PIN}]",
            hint="write it as `trueup history` shows it, such as main@sha1:<commit>; of several sources one after another, with commas",
        )
    return Pin(
        revision=whole(revisions),
        parts=revisions if len(revisions) > 1 else (),
        by=str(annotations.get(PIN_BY) or ""),
        reason=str(annotations.get(PIN_REASON) or ""),
        until=_until(obj, str(annotations.get(PIN_UNTIL) or "")),
    )


def is_in_force(pin: Pin | None, now: datetime) -> bool:
    return pin is not None and (pin.until is None or now < pin.until)


def _until(obj: Manifest, text: str) -> datetime | None:
    if not text:
        return None
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not a time",
            ref=ref_of(obj),
            field=f"metadata.annotations[{PIN_UNTIL}]",
            hint="write it as 2026-11-30T12:00:00Z",
        ) from error
    if until.tzinfo is None:
        raise InvalidInput(
            f"{text!r} names no time zone",
            ref=ref_of(obj),
            field=f"metadata.annotations[{PIN_UNTIL}]",
            hint="end it with Z for UTC, or with an offset such as +07:00",
        )
    return until
