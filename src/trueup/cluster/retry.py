"""Whether and when a request is sent again. Pure: chance is passed in; waiting and sending are the transport's.

The rules of client-go and of the API conventions: a 429 was not carried out, whatever it asked; after any other fault only a
request that may safely happen twice is repeated. https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

from __future__ import annotations

from msgspec import Struct


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Exponential waits in seconds: `first` x `factor`^n up to `maximum`, each spread by ±`spread`; `attempts` in all."""

    attempts: int = 6
    first: float = 0.2
    factor: float = 2.0
    maximum: float = 10.0
    spread: float = 0.25
    longest_retry_after: float = 60.0

    def backoff(self, failures: int, *, chance: float) -> float:
        """The wait after the n-th failure in a row (from 1); `chance` is in [0, 1)."""
        seconds = min(self.first * self.factor ** min(failures - 1, 40), self.maximum)
        return seconds * (1 - self.spread + 2 * self.spread * chance)

    def wait(
        self, failures: int, *, code: int, retry_after: float | None, repeatable: bool, sent: bool, chance: float
    ) -> float | None:
        """Seconds until the next attempt, or None to give up.

        `code` 0: no answer; `sent`: bytes of the request may have reached the server.
        """
        if failures >= self.attempts:
            return None
        may_repeat = repeatable or code == 429 or (code == 0 and not sent)
        if not may_repeat or code not in (0, 429, 500, 502, 503, 504):
            return None
        if code == 500 and retry_after is None and failures >= 3:
            # A webhook or storage fault: worth two quick tries; the caller's own queue has more patience than we.
            return None
        backoff = self.backoff(failures, chance=chance)
        if retry_after is None:
            return backoff
        # A server that says when is believed; a little more spreads those who were told the same moment.
        return min(retry_after, self.longest_retry_after) + backoff * 0.1
