"""The status badge of an Application or of projects, at Argo CD's address and with its parameters, drawn by ourselves.

Anybody may fetch it once `statusbadge.enabled` of `argocd-cm` says so, for it stands in READMEs; until then it tells nothing.
https://argo-cd.readthedocs.io/en/stable/user-guide/status-badge/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from msgspec import Struct

from trueup.apps.identity import APPLICATION
from trueup.model.manifest import status_of
from trueup.model.revision import parse_revision
from trueup.server.api.call import Call
from trueup.server.api.operation import PUBLIC, Content, Operation, Surface
from trueup.server.api.refusals import BadQuery
from trueup.server.world.rows import Known
from trueup.server.world.world import World

PATH = "/api/badge"
ENABLED = "statusbadge.enabled"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_GREY, _GREEN, _RED, _AMBER, _BLUE, _PURPLE = "#5f6b7a", "#1a7f4b", "#c0362c", "#a15c00", "#1f6feb", "#6f42c1"
_HEALTH = {
    "Healthy": _GREEN, "Degraded": _RED, "Progressing": _BLUE, "Suspended": _PURPLE, "Missing": _AMBER, "Unknown": _GREY,
}  # fmt: skip
_SYNC = {"Synced": _GREEN, "OutOfSync": _AMBER, "Unknown": _GREY}
_LETTER, _MARGIN, _ROW = 7, 8, 20
"""Pixels: of a letter of the 11 px font, beside a text, and of a row."""
_SHORT, _WIDEST = 7, 2000


class BadgeQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """`name` with `namespace`, or `project` as often as wanted. `revision` and `showAppName` add a part, `width` stretches the last.

    `kind` is ours: `Kustomization` or `HelmRelease`, whose namespace must be said.
    """

    kind: str = APPLICATION
    name: str = ""
    namespace: str = ""
    project: tuple[str, ...] = ()
    revision: str = ""
    keep_full_revision: str = ""
    show_app_name: str = ""
    width: str = ""


class Standing(Struct, frozen=True):
    health: str = "Unknown"
    sync: str = "Unknown"
    revision: str = ""
    name: str = ""
    found: bool = True


class Badge:
    """`settings`: the data of `argocd-cm` as it is now."""

    def __init__(self, world: World, settings: Callable[[], Mapping[str, str]]) -> None:
        self._world = world
        self._settings = settings

    async def get(self, call: Call) -> Content:
        query: BadgeQuery = call.query
        is_open = self._settings().get(ENABLED, "").strip().lower() == "true"
        standing = self._standing(query) if is_open else Standing()
        headers = {"Cache-Control": "private, no-store", "Access-Control-Allow-Origin": "*"}
        return Content(body=drawn(standing, query).encode(), media_type="image/svg+xml", headers=headers)

    def _standing(self, query: BadgeQuery) -> Standing:
        for field, value in (
            ("name", query.name),
            ("namespace", query.namespace),
            *(("project", one.lower()) for one in query.project),
        ):
            if value and not _NAME.fullmatch(value):
                raise BadQuery("is no name", field=field)
        if query.name:
            known = self._world.app(query.kind, query.namespace or self._world.control_namespace, query.name)
            return Standing(found=False) if known is None else standing_of(known, query.name)
        if query.project:
            wanted = set(query.project)
            return together([known for known in self._world.apps if _is_of(known, wanted)])
        return Standing()


def _is_of(known: Known, projects: set[str]) -> bool:
    return known.ref.kind == APPLICATION and known.row.project in projects


def standing_of(known: Known, name: str = "") -> Standing:
    """As an Application's status says; of other Apps as they are seen."""
    if known.ref.kind != APPLICATION:
        row = known.row
        return Standing(
            health=row.health or "Unknown", sync=row.sync or "Unknown", revision=_digits(row.full_revision), name=name
        )
    status: Any = status_of(known.obj)
    result = (status.get("operationState") or {}).get("syncResult") or {}
    revisions = result.get("revisions") or [result.get("revision") or ""]
    return Standing(
        health=str((status.get("health") or {}).get("status") or "Unknown"),
        sync=str((status.get("sync") or {}).get("status") or "Unknown"),
        revision=str(revisions[0] or ""),
        name=name,
    )


def together(apps: list[Known]) -> Standing:
    """Well only if all are; of none nothing is known."""
    if not apps:
        return Standing()
    each = [standing_of(known) for known in apps]
    healthy = all(one.health == "Healthy" for one in each)
    synced = all(one.sync == "Synced" for one in each)
    return Standing(health="Healthy" if healthy else "Degraded", sync="Synced" if synced else "OutOfSync")


def drawn(standing: Standing, query: BadgeQuery) -> str:
    """The picture; its words stand in its title too, for those who hear it."""
    parts = [(standing.health, _HEALTH.get(standing.health, _GREY)), (standing.sync, _SYNC.get(standing.sync, _GREY))]
    if not standing.found:
        parts = [("Not Found", _GREY)]
    elif standing.revision and _is_true(query.revision):
        shown = standing.revision if _is_true(query.keep_full_revision) else standing.revision[:_SHORT]
        parts.append((shown, _GREY))
    widths = [len(text) * _LETTER + 2 * _MARGIN for text, _ in parts]
    title = standing.name if _is_true(query.show_app_name) else ""
    least = len(title) * _LETTER + 2 * _MARGIN if title else 0
    if query.width.isdecimal():
        least = max(least, min(int(query.width[:6]), _WIDEST))
    widths[-1] += max(0, least - sum(widths))
    return _svg(title, parts, widths)


def _svg(title: str, parts: list[tuple[str, str]], widths: list[int]) -> str:
    total, top = sum(widths), _ROW if title else 0
    said = escape(" · ".join(filter(None, [title, *(text for text, _ in parts)])))
    drawn = [_box(0, 0, total, _GREY, title)] if title else []
    left = 0
    for (text, colour), width in zip(parts, widths, strict=True):
        drawn.append(_box(left, top, width, colour, text))
        left += width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{top + _ROW}" role="img" aria-label="{said}">'
        f'<title>{said}</title><clipPath id="r"><rect width="{total}" height="{top + _ROW}" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)" fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{''.join(drawn)}</g></svg>"
    )


def _box(left: int, top: int, width: int, colour: str, text: str) -> str:
    middle = left + width / 2
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{_ROW}" fill="{colour}"/>'
        f'<text x="{middle:g}" y="{top + 14}">{escape(text)}</text>'
    )


def _digits(revision: str) -> str:
    parsed = parse_revision(revision)
    return parsed.digest or parsed.name if parsed is not None else ""


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def operations(badge: Badge) -> list[Operation]:
    return [
        Operation(
            id="argo.badge",
            method="GET",
            path=PATH,
            summary="The badge of an Application or of projects, once it is enabled",
            access=PUBLIC,
            query=BadgeQuery,
            surface=Surface.ARGOCD,
            handler=badge.get,
        )
    ]
