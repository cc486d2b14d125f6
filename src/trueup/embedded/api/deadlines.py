"""How long a request may take: as long as its `timeout` asks for, at most a minute; those that go on for long take what they need."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from trueup.embedded.api.refusals import bad_request
from trueup.embedded.api.target import Target
from trueup.embedded.gowords import quoted

LONGEST = 60.0
_LONG_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")


def seconds_allowed(target: Target, query: Mapping[str, str]) -> float:
    """Infinite for watches and streams; raises 400 for a `timeout` that is none."""
    if target.is_resource and (target.verb == "watch" or target.subresource in _LONG_SUBRESOURCES):
        return math.inf
    if not (text := query.get("timeout", "")):
        return LONGEST
    try:
        asked = _seconds(text)
    except ValueError as error:
        raise bad_request(f"invalid timeout specified in the request URL - {error}") from None
    return min(asked, LONGEST) if asked > 0 else LONGEST


def _seconds(text: str) -> float:
    """Go's `time.ParseDuration`; raises ValueError with its words."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f"time: invalid duration {quoted(text)}")
    total = 0.0
    while rest:
        found = _TERM.match(rest)
        assert found is not None
        number, unit = found[1] + (found[2] or ""), found[3]
        if number in ("", "."):
            raise ValueError(f"time: invalid duration {quoted(text)}")
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
        total += float(number) * _UNITS[unit]
        rest = rest[found.end() :]
    return sign * total
