"""`python -m trueup.cli.kubernetes`: the embedded Kubernetes as a process of its own, with the cel engine behind it."""

from __future__ import annotations

import asyncio

from trueup.cli.expressions import EngineExpressions
from trueup.embedded.__main__ import main


async def _main() -> None:
    async with EngineExpressions() as expressions:
        await main(expressions)


if __name__ == "__main__":
    asyncio.run(_main())
