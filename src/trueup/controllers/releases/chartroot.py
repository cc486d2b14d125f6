"""Where the chart is in a source's snapshot: at its root, or as a packed chart has it, in the one folder of its name."""

from __future__ import annotations

from trueup.model.errors import BuildFailed
from trueup.model.snapshot import EntryType, Snapshot

CHART_FILE = "Chart.yaml"


def chart_root(snapshot: Snapshot) -> str:
    """The folder that holds Chart.yaml. Blocks. Raises BuildFailed when there is none, or more than one."""
    if snapshot.entry(CHART_FILE) is not None:
        return ""
    folders = [
        entry.name
        for entry in snapshot.listing("")
        if entry.type is EntryType.DIRECTORY and snapshot.entry(f"{entry.name}/{CHART_FILE}") is not None
    ]
    if len(folders) != 1:
        found = f"{len(folders)} folders hold one: {', '.join(folders[:5])}" if folders else "there is none"
        raise BuildFailed(
            f"the source is not a chart: a {CHART_FILE} is expected at its root or in its only folder, and {found}",
            hint="push the packed chart (helm push), or name the chart in Git with spec.chart",
        )
    return folders[0]
