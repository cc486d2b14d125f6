"""One verdict from both families of rules."""

from __future__ import annotations

from datetime import datetime

from trueup.model.health import Verdict
from trueup.model.manifest import Manifest
from trueup.sync.health.kstatus import kstatus_of


def judge(obj: Manifest, now: datetime) -> Verdict:
    found = kstatus_of(obj, now)
    return Verdict(kstatus=found.status, health=None, message=found.message, rule=found.rule)
