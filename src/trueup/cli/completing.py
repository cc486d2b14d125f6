"""Names of Apps for a shell's completion: asked of the cluster, quickly or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from trueup.model.errors import TrueupError

PATIENCE = 2.0
"""Seconds. A shell that waits longer than that for a TAB is broken."""


def complete_apps(context: typer.Context, incomplete: str) -> list[str]:
    """`web`, or `ks/web` where several are called so or a kind was begun. Never raises: a TAB must not print errors."""
    kubeconfig = context.params.get("kubeconfig")
    try:
        return asyncio.run(
            _names(Path(kubeconfig) if kubeconfig else None, str(context.params.get("context") or ""), incomplete)
        )
    except (TrueupError, OSError, TimeoutError, ExceptionGroup):
        return []


async def _names(kubeconfig: Path | None, context: str, incomplete: str) -> list[str]:
    from trueup.cli.session import connect

    async with asyncio.timeout(PATIENCE), connect(kubeconfig, context) as session:
        found = await session.find_all(())
        return matching([(item.kind.short, item.ref.name) for item in found], incomplete)


def matching(apps: list[tuple[str, str]], incomplete: str) -> list[str]:
    """Pure: kinds and names of all Apps -> what may stand where `incomplete` does."""
    names = [name for _, name in apps]
    plain = [name for name in names if names.count(name) == 1 and name.startswith(incomplete)]
    qualified = [f"{kind}/{name}" for kind, name in apps if "/" in incomplete or names.count(name) > 1]
    return sorted({*plain, *(text for text in qualified if text.startswith(incomplete))})
