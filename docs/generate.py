"""Writes the parts of docs/reference that come from the code: `python docs/generate.py`, or `--check` to only compare.

A page holds `<!-- generated: NAME -->` and `<!-- end -->`; what stands between them is replaced. The words around them,
and everything that a table cannot say, are written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from docs.parts import api, compatibility, embedded, metrics, options, rights  # noqa: E402 the path above comes first

PAGES = ROOT / "docs" / "reference"
PARTS: dict[str, Callable[[], str]] = {
    "api": api.text,
    "embedded": embedded.text,
    "rights": rights.text,
    "metrics": metrics.table_text,
    "server-metrics": metrics.server_text,
    "kustomization": compatibility.kustomization,
    "gitrepository": compatibility.git_repository,
    "helmrepository": compatibility.helm_repository,
    "helmchart": compatibility.helm_chart,
    "ocirepository": compatibility.oci_repository,
    "helmrelease": compatibility.helm_release,
    "bucket": compatibility.bucket,
    "application": compatibility.application,
    "syncoptions": compatibility.sync_options,
    "run-options": options.run,
    "up-options": options.up,
}
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with its parts made anew. Raises KeyError for a part that nobody writes."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}{found[3]}", text)


def pages() -> dict[Path, str]:
    """Each page that has generated parts -> what it should say."""
    found = {page: page.read_text(encoding="utf-8") for page in sorted(PAGES.glob("*.md"))}
    return {page: filled(text) for page, text in found.items() if _PART.search(text)}


def main(arguments: list[str]) -> int:
    stale = [page for page, text in pages().items() if page.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for page in stale:
            print(f"{page.relative_to(ROOT)} is not what the code says; run: python docs/generate.py")
        return int(bool(stale))
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
