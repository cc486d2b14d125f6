"""`trueup cache`: what this machine keeps of builds, and how to be rid of it. The controller's own cache is shown by its metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from trueup.cli.console import out, shown, tell
from trueup.cli.engines import local_cache
from trueup.cli.home import find_home
from trueup.cli.options import Format, Output
from trueup.cli.output import write, write_data
from trueup.cli.table import print_table
from trueup.sources.diskuse import STORES, measured


@shown
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all kept builds; they are made again.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """Show what kept builds, and what `trueup up` fetched, take on this machine's disk, and what they may take."""
    from trueup.cli import answers

    kept = local_cache()
    if clear:
        freed = kept.clear() + answers.clear()
        tell(f"{megabytes(freed)} freed")
    usage, said = kept.usage(), answers.usage()
    rows = [
        {
            "what": "builds",
            "place": str(kept.root),
            "entries": usage.entries,
            "bytes": usage.bytes,
            "limit": usage.limit,
        },
        {
            "what": "answers",
            "place": str(said.place),
            "entries": said.entries,
            "bytes": said.bytes,
            "limit": said.limit,
        },
    ]
    rows += _fetched()
    match output:
        case Output.JSON | Output.YAML:
            write_data(rows, output)
        case Output.NAME:
            write("".join(f"{row['place']}\n" for row in rows))
        case Output.TABLE:
            shown_rows = [
                (
                    str(row["what"]),
                    str(row["entries"]),
                    megabytes(row["bytes"]),
                    megabytes(row["limit"]),
                    str(row["place"]),
                )
                for row in rows
            ]
            print_table(out, ("WHAT", "ENTRIES", "SIZE", "LIMIT", "PLACE"), shown_rows)


def _fetched() -> list[dict[str, object]]:
    """What the controller of `trueup up` has fetched on this machine; nothing where there is none."""
    root = find_home().controller
    use = measured(root)
    sizes = [(store, use.of(store)) for store in STORES]
    return [
        {
            "what": name,
            "place": str(root / name),
            "entries": sum(1 for place in (root / name).iterdir() if place.is_dir()),
            "bytes": size,
            "limit": use.limit,
        }
        for name, size in sizes
        if (root / name).is_dir()
    ]


def megabytes(size: object) -> str:
    assert isinstance(size, int)
    return f"{size / 2**20:.1f} MiB"
