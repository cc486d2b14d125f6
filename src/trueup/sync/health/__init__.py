"""How an object fares, by kstatus (is it done?) and by Argo CD's rules (is it well?). Pure: `judge(object, now)`."""

from trueup.sync.health.judge import judge

__all__ = ["judge"]
