"""All that is kept of an object that others own. Pure."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, structs

from trueup.model.health import Verdict
from trueup.model.manifest import Manifest, api_version_of, is_deleting, resource_version_of, uid_of
from trueup.model.refs import split_api_version
from trueup.model.sight import Sight
from trueup.sync.facts import Forecast, forecast_of
from trueup.sync.health import judge
from trueup.sync.sight import sight_of


class Below(Struct, frozen=True, kw_only=True):
    version: str
    uid: str
    resource_version: str
    deleting: bool
    verdict: Verdict
    sight: Sight
    forecast: Forecast | None = None


def reduce_below(obj: Manifest, now: datetime) -> Below | None:
    """None for what nobody owns: it hangs below nothing."""
    sight = sight_of(obj)
    if not sight.owners:
        return None
    return Below(
        version=split_api_version(api_version_of(obj))[1],
        uid=uid_of(obj),
        resource_version=resource_version_of(obj),
        deleting=is_deleting(obj),
        verdict=judge(obj, now),
        sight=sight,
        forecast=forecast_of(obj, now),
    )


def as_of(below: Below, now: datetime) -> Below:
    """At that moment: a forecast whose time has come is the verdict."""
    if below.forecast is None or now < below.forecast.at:
        return below
    return structs.replace(below, verdict=below.forecast.verdict, forecast=None)
