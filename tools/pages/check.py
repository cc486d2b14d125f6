"""Checks the types of the pages' modules, strictly, by the pinned TypeScript: `make pages-check`, `python -m tools.pages.check`."""

from __future__ import annotations

import subprocess
import sys

from tools.pages.install import HERE, node_modules


def check_types() -> subprocess.CompletedProcess[str]:
    compiler = node_modules() / "typescript" / "bin" / "tsc"
    return subprocess.run(["node", str(compiler), "-p", str(HERE / "tsconfig.json")], capture_output=True, text=True)


if __name__ == "__main__":
    done = check_types()
    print(done.stdout, end="")
    sys.exit(done.returncode)
