"""`trueup` on a machine whose clock is wrong: `python -m tests.proof.shifted FILE server ...`, FILE holds by how many seconds.

The file is read at every look at the clock, so a test turns the clock while the server runs.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trueup.cli import main
from trueup.server import assembly


def shifted(file: Path) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(file.read_text()))


if __name__ == "__main__":
    file = Path(sys.argv[1])
    assembly.utc_now = lambda: shifted(file)
    main.main(sys.argv[2:])
