"""From when on an App's past is a reader's business: records know an App by its name, which another project may have had before.

Rights on an Application are rights on its project, so one that was deleted and made again may be others' than it was. Other Apps
belong to whom their namespace belongs.
"""

from __future__ import annotations

from datetime import datetime

from trueup.apps.identity import APPLICATION
from trueup.server.api.call import Call
from trueup.server.api.operation import Target
from trueup.server.world.rows import Known


async def told_since(call: Call, known: Known) -> datetime | None:
    """None: all of it is told, also to whoever may see an Application of that name in any project."""
    if known.ref.kind != APPLICATION or await call.may("applications", "get", _in_any_project(known)):
        return None
    created: datetime | None = known.row.created
    return created


def told_since_of_listed(call: Call, known: Known) -> datetime | None:
    """The same for many at once, in an operation that is Listed."""
    if known.ref.kind != APPLICATION or call.predicate("applications")(_in_any_project(known)):
        return None
    created: datetime | None = known.row.created
    return created


def is_told(at: datetime, since: datetime | None) -> bool:
    return since is None or at >= since


def _in_any_project(known: Known) -> Target:
    return Target(f"*/{known.policy_object.partition('/')[2]}", known.ref)
