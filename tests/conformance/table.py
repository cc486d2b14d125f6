"""The table of what the embedded Kubernetes simulates and what it does not, made from the conformance suite.

`python -m tests.conformance.table` writes docs/reference/embedded.md anew, as `python docs/generate.py` does with all pages.
"""

from __future__ import annotations

from pathlib import Path

from docs.parts.tables import table
from tests.conformance.collector import AREAS, scenarios
from tests.conformance.unenforced import UNENFORCED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "embedded.md"


def text() -> str:
    """The generated part of the page."""
    rows = []
    equal = 0
    for area in AREAS:
        count, differences = len(area.titles), area.differences
        equal += count - len(differences)
        known = "; ".join(dict.fromkeys(differences.values()))
        rows.append((area.name, area.simulates, str(count), str(count - len(differences)), known))
    rows.append(("**In all**", "", f"**{scenarios()}**", f"**{equal}**", ""))
    rows += [(each.kinds, "stored, listed and watched", "", "", f"not enforced: {each.why}") for each in UNENFORCED]
    return table(("Area", "Simulated", "Scenarios", "Equal", "Not simulated, or different"), rows)


def main() -> None:
    from docs.generate import filled

    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
