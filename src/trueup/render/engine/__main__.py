"""`python -m trueup.render.engine build`: builds the engines ahead of time and says where they are."""

from __future__ import annotations

import sys

from trueup.model.errors import EngineFailed
from trueup.render.engine.build import ENGINES, engine_binary


def main(arguments: list[str]) -> int:
    if arguments != ["build"]:
        print("usage: python -m trueup.render.engine build", file=sys.stderr)
        return 2
    try:
        for name in ENGINES:
            binary = engine_binary(name, progress=lambda line: print(f"==> {line}", flush=True))
            print(f"{name} engine: {binary}")
    except EngineFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
