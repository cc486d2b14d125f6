"""`trueup history`: what happened to an App: syncs, drift that was healed, prunes, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from trueup.apps.times import age, took, utc_now
from trueup.cli.console import out, shown, tell
from trueup.cli.difftext import diff_lines
from trueup.cli.options import AppName, Context, Format, Kubeconfig, Namespace, Output
from trueup.cli.output import write, write_data
from trueup.cli.past import PastRow, read_past, records_url, summarise
from trueup.cli.session import Session, in_session
from trueup.cli.table import Cell, lines
from trueup.cli.words import word
from trueup.model.revision import parse_revision
from trueup.records.record import RecordKind

HEADERS = ("ID", "AGE", "WHAT", "REVISION", "RESULT", "TOOK", "BY", "CHANGES")

Database = Annotated[
    str, typer.Option("--database", help="SQLAlchemy URL of the records. Default: those of `trueup up`.")
]


@shown
def history(
    name: AppName,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 20,
    kind: Annotated[list[RecordKind] | None, typer.Option("--kind", help="Only this kind; may be repeated.")] = None,
    changes: Annotated[bool, typer.Option("--changes", help="Each object's changes, field by field.")] = False,
    database: Database = "",
    output: Format = Output.TABLE,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Show what happened to an App, the newest first."""

    async def work(session: Session) -> None:
        found = await session.find(name)
        url = records_url(session, database)
        rows, note = await asyncio.to_thread(read_past, found, url, limit=limit, kinds=kind or ())
        if note:
            tell(note)
        match output:
            case Output.TABLE:
                _print(rows, utc_now(), changes=changes)
            case Output.NAME:
                write("".join(f"{revision}\n" for revision in dict.fromkeys(row.revision for row in rows) if revision))
            case Output.JSON | Output.YAML:
                write_data([past_data(row) for row in rows], output)

    in_session(work, kubeconfig, context, namespace)


def _print(rows: Sequence[PastRow], now: datetime, *, changes: bool) -> None:
    if not rows:
        tell("nothing is recorded of it yet")
        return
    table = lines(HEADERS, [past_row(row, now) for row in rows], width=out.width if out.is_terminal else None)
    out.print(table[0])
    for row, text in zip(rows, table[1:], strict=True):
        out.print(text)
        if changes:
            for change in diff_lines(row.changes, {}):
                out.print(Text("    ").append_text(change))


def past_row(row: PastRow, now: datetime) -> list[Cell]:
    revision = parse_revision(row.revision)
    summary = summarise(row.changes)
    # A successful sync says the same of itself, with the unchanged objects; a failure says something else.
    what = row.message if row.message.startswith(summary) else "; ".join(filter(None, (summary, row.message)))
    return [
        str(row.id),
        age(row.at, now),
        row.kind,
        revision.short if revision else row.revision,
        word(row.result),
        took(row.took),
        row.by,
        what,
    ]


def past_data(row: PastRow) -> dict[str, object]:
    return {
        "id": row.id,
        "at": row.at,
        "kind": row.kind,
        "revision": row.revision,
        "result": row.result,
        "tookSeconds": row.took.total_seconds(),
        "by": row.by,
        "message": row.message,
        "changes": [
            {"ref": str(item.ref), "action": str(item.action), "fields": list(item.fields), "message": item.message}
            for item in row.changes
        ],
    }
