"""One verdict from both families of rules.

`message` and `rule` are those of the family that has more to say: Argo CD's where its health is worse than Healthy and
kstatus finds nothing amiss, kstatus's otherwise.
"""

from __future__ import annotations

from datetime import datetime

from trueup.model.health import Health, Kstatus, Verdict
from trueup.model.manifest import Manifest
from trueup.sync.health.argocd import health_of
from trueup.sync.health.kstatus import JOB_RUNNING, kstatus_of

NOT_FOUND = Verdict(kstatus=Kstatus.NOT_FOUND, health=Health.MISSING, message="Resource not found", rule="missing")


def judge(obj: Manifest | None, now: datetime) -> Verdict:
    """`now` decides the rules that wait for a while; None: there is no such object."""
    if obj is None:
        return NOT_FOUND
    status = kstatus_of(obj, now)
    health = health_of(obj)
    if health is None:
        return Verdict(kstatus=status.status, health=None, message=status.message, rule=status.rule)
    unwell = health.status is not Health.HEALTHY and status.status is Kstatus.CURRENT
    message = health.message if unwell and health.message else status.message
    rule = f"argocd/{health.rule}" if unwell else status.rule
    return Verdict(kstatus=status.status, health=health.status, message=message, rule=rule)


def status_for_wait(verdict: Verdict) -> Kstatus:
    """What counts for `wait` and `healthChecks`: kstatus, but a Job that runs is waited for until it ends."""
    running = verdict.rule in (JOB_RUNNING, "argocd/job/running")
    return Kstatus.IN_PROGRESS if running else verdict.kstatus
