"""`trueup cache`: what this machine keeps of builds, and how to be rid of it. The controller's own cache is shown by its metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from trueup.cli.console import out, shown, tell
from trueup.cli.engines import local_cache
from trueup.cli.options import Format, Output
from trueup.cli.output import write, write_data
from trueup.cli.table import print_table


@shown
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all kept builds; they are made again.")] = False,
    output: Format = Output.TABLE,
) -> None:
    """Show what kept builds take on this machine's disk, and what they may take."""
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


def megabytes(size: object) -> str:
    assert isinstance(size, int)
    return f"{size / 2**20:.1f} MiB"
