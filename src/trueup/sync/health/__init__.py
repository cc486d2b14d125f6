"""How an object fares, by kstatus (is it done?) and by Argo CD's rules (is it well?). Pure: `judge(object, now)`."""

from trueup.sync.health.judge import NOT_FOUND, judge, status_for_wait
from trueup.sync.health.kstatus import next_look

__all__ = ["NOT_FOUND", "judge", "next_look", "status_for_wait"]
