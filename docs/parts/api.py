"""The operations of the API, from the table that routes, rights and the OpenAPI document are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from docs.parts.tables import table
from trueup.dialects.registry import all_dialects
from trueup.server.about import About
from trueup.server.api.operation import Access, Listed, Needs, Operation, Public, Surface
from trueup.server.assembly import Parts
from trueup.server.assembly import table as all_operations
from trueup.server.identity.store import MemoryStore
from trueup.server.identity.whole import IdentityService, Surroundings
from trueup.server.keeping.audit import Audit
from trueup.server.world.trees import Trees
from trueup.server.world.world import World

_NOTHING: Any = None
"""What only a call would need."""


def operations() -> list[Operation]:
    """All of our own surface, by path."""
    around = Surroundings(store=MemoryStore(), projects=_NOTHING, scopes=tuple, clock=lambda: datetime.now(UTC))
    parts = Parts(
        world=World(all_dialects(), lambda: datetime.now(UTC)),
        identity=IdentityService(around),
        about=About(list, lambda: (0, 0, 0)),
        clients=_NOTHING,
        trees=Trees(),
        audit=Audit(""),
        controllers=_NOTHING,
    )
    ours = [one for one in all_operations(parts) if one.surface is Surface.TRUEUP]
    return sorted(ours, key=lambda one: (one.path, one.method))


def text() -> str:
    rows = [
        (f"`{one.method} {one.path.removeprefix('/api/trueup/v1')}`", one.summary + _more(one), _right(one.access))
        for one in operations()
    ]
    return table(("Call, below `/api/trueup/v1`", "What for", "Right"), rows)


def _more(operation: Operation) -> str:
    return "; as server-sent events" if operation.streams and "events" not in operation.summary else ""


def _right(access: Access) -> str:
    match access:
        case Needs():
            return f"`{access.resource}` `{access.action}`"
        case Listed():
            return f"what one may `{access.action}` of `{access.resource}`"
        case Public():
            return "anybody"
    return "signed in; more by what is named"
