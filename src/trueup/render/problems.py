"""Engine answers as our errors."""

from __future__ import annotations

from trueup.model.errors import BuildFailed, NotBuiltYet, TrueupError
from trueup.model.manifest import Origin
from trueup.render.engine.frames import Problem

_NOT_BUILT_YET = frozenset({"RemoteRefused", "NotBuiltYet"})


def as_error(problem: Problem) -> TrueupError:
    """Terminal: only another revision or spec can help."""
    origin = Origin(problem.path, problem.line) if problem.path else None
    kind = NotBuiltYet if problem.code in _NOT_BUILT_YET else BuildFailed
    return kind(problem.message, hint=problem.hint, origin=origin)
