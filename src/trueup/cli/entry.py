"""The program's first lines: what can be said again is said, before anything that takes time is imported."""

from __future__ import annotations

import sys


def main() -> None:
    from trueup.cli import quick

    code = quick.answer(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    from trueup.cli.main import main as everything

    everything()


if __name__ == "__main__":
    main()
