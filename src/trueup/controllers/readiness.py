"""`readyExpr` of a dependency: CEL over the App (`self`) and what it depends on (`dep`), in place of the usual judgement."""

from __future__ import annotations

from trueup.controllers.memory import AppMemory
from trueup.controllers.shell import AppShell
from trueup.model.app import Dependency
from trueup.model.errors import Terminal, Transient
from trueup.model.manifest import Manifest

LOOK_AGAIN = 5.0
"""Seconds until an expression that said no is asked again: it may speak of anything in either object."""


class InvalidExpression(Terminal):
    """An expression that can never give an answer."""

    reason = "InvalidCELExpression"


async def judge_dependencies(memory: AppMemory, obj: Manifest, shell: AppShell) -> bool:
    """Notes which dependencies their expressions call ready. Whether there are expressions at all. Raises InvalidExpression."""
    app = memory.app
    expressed = [each for each in app.rules.depends_on if each.ready_expr] if app is not None else []
    found = {each.ref: await _is_ready(each, number, obj, shell) for number, each in enumerate(expressed)}
    memory.ready_by_expression = found
    return bool(expressed)


async def _is_ready(dependency: Dependency, number: int, obj: Manifest, shell: AppShell) -> bool:
    found = shell.resources.get(dependency.ref)
    if found is None:
        return False
    try:
        answer = await shell.evaluate(dependency.ready_expr, {"self": obj, "dep": found})
    except Transient:
        return False
    if not answer.compiles or (not answer.error and not isinstance(answer.value, bool)):
        said = answer.error or f"it gives {type(answer.value).__name__}, not true or false"
        raise InvalidExpression(
            f"{dependency.ready_expr!r}: {said}",
            field=f"spec.dependsOn[{number}].readyExpr",
            hint="write an expression over `self` and `dep` that is true when `dep` is ready",
        )
    return answer.value is True
