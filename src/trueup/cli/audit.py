"""`trueup audit`: who changed what; whether the log is what was written; and the log for other tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from trueup.apps.times import age, parse_since, utc_now
from trueup.cli.console import Exit, fail, out, shown, tell
from trueup.cli.home import find_home
from trueup.cli.options import Format, Output
from trueup.cli.output import write_data
from trueup.cli.table import Cell, print_table
from trueup.cli.words import word
from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Sealed
from trueup.records.audit.checkpoints import read_public_keys
from trueup.records.audit.entry import AuditResult
from trueup.records.audit.formats import Form, data_of, line
from trueup.records.audit.proving import Evidence, prove, read_checkpoints
from trueup.records.audit.reading import AuditHistory, AuditQuery
from trueup.records.audit.service import CHECKPOINTS, FOLDER, PUBLIC
from trueup.records.audit.verifying import Verdict

audit = typer.Typer(no_args_is_help=True, help="Who changed what, and is that what was written?")

Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="TRUEUP_DATABASE", help="SQLAlchemy URL of the records. Default: those of `trueup up`."
    ),
]
Actor = Annotated[str, typer.Option("--actor", help="Who: a name, with * for anything.")]
Action = Annotated[str, typer.Option("--action", help="What: apps.sync, controller.*, ….")]
Target = Annotated[str, typer.Option("--target", help="Done to what: Kustomization/shop/web, */shop/*, ….")]
Project = Annotated[str, typer.Option("--project", help="Of which project.")]
Result = Annotated[AuditResult | None, typer.Option("--result", help="Only what ended so.")]
Since = Annotated[str, typer.Option("--since", help="Not before: 2h, 7d, or 2026-01-31T12:00:00Z.")]
Until = Annotated[str, typer.Option("--until", help="Before: 2h, 7d, or 2026-01-31T12:00:00Z.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, the newest first.")]
HEADERS = ("ENTRY", "AGE", "WHO", "FROM", "ACTION", "TARGET", "RESULT", "MESSAGE")


@audit.command("list")
@shown
def list_entries(
    actor: Actor = "",
    action: Action = "",
    target: Target = "",
    project: Project = "",
    result: Result = None,
    since: Since = "",
    until: Until = "",
    limit: Limit = 50,
    database: Database = "",
    output: Format = Output.TABLE,
) -> None:
    """Show entries, the newest first."""
    _show(_query(actor, action, target, project, result, since, until), limit, database, output)


@audit.command("search")
@shown
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="All of them must stand in the entry.")],
    actor: Actor = "",
    action: Action = "",
    target: Target = "",
    project: Project = "",
    result: Result = None,
    since: Since = "",
    until: Until = "",
    limit: Limit = 50,
    database: Database = "",
    output: Format = Output.TABLE,
) -> None:
    """Show entries that words stand in, the newest first."""
    query = _query(actor, action, target, project, result, since, until, " ".join(words))
    _show(query, limit, database, output)


@audit.command("show")
@shown
def show(
    entry: Annotated[str, typer.Argument(metavar="CHAIN:SEQUENCE", help="As `trueup audit list` names it.")],
    database: Database = "",
    output: Format = Output.YAML,
) -> None:
    """Show one entry whole."""
    chain, _, number = entry.rpartition(":")
    if not chain or not number.isdecimal():
        raise InvalidInput(f"{entry!r} is not the name of an entry", hint="trueup audit list")
    with _history(database) as history:
        found = history.get(chain, int(number))
    if found is None:
        fail(f"there is no entry {entry} (any more)", hint="trueup audit list")
    write_data(data_of(found), Output.YAML if output is Output.TABLE else output)


@audit.command("export")
@shown
def export(
    form: Annotated[Form, typer.Option("--format", help="Lines of JSON, or of CEF.")] = Form.JSON,
    actor: Actor = "",
    action: Action = "",
    target: Target = "",
    project: Project = "",
    result: Result = None,
    since: Since = "",
    until: Until = "",
    text: Annotated[str, typer.Option("--text", help="Words that must stand in the entry.")] = "",
    database: Database = "",
) -> None:
    """Write every entry that matches to standard output, the oldest first, one per line."""
    query = _query(actor, action, target, project, result, since, until, text)
    with _history(database) as history:
        for entry in history.walk(query):
            sys.stdout.buffer.write(line(entry, form) + b"\n")
    sys.stdout.buffer.flush()


@audit.command("verify")
@shown
def verify_log(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoints", help="Exported checkpoints. Default: those of `trueup up`; may be repeated."),
    ] = None,
    keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--key", help="A public key in PEM that signed them. Default: those of `trueup up`; may be repeated."
        ),
    ] = None,
    database: Database = "",
    output: Format = Output.TABLE,
) -> None:
    """Say whether the log is what was written; exit code 1, and the first broken entry of each chain, when it is not."""
    public = read_public_keys(keys if keys is not None else _local(PUBLIC))
    if not public:
        fail(
            "no public key is known, so nothing says what was signed",
            hint="pass --key signing.pub (from the state folder's audit/) or the key of the Secret",
            code=Exit.USAGE,
        )
    outside = read_checkpoints(checkpoints if checkpoints is not None else _local_checkpoints())
    with _history(database) as history:
        found = prove(history, Evidence(public, outside))
    if output in (Output.JSON, Output.YAML):
        write_data(found, output)
    else:
        _tell_verdicts(found, len(outside))
    sys.exit(int(Exit.FAILED if any(one.broken for one in found) else Exit.OK))


def _tell_verdicts(found: list[Verdict], exported: int) -> None:
    rows: list[list[Cell]] = [
        [
            visible(one.chain),
            f"{one.first}-{one.last}" if one.entries else "none",
            str(one.signed),
            visible(str(one.broken)) if one.broken else Text("as written", style="green"),
        ]
        for one in found
    ]
    if not rows:
        tell("the log is empty")
        return
    print_table(out, ("CHAIN", "ENTRIES", "SIGNED UP TO", "VERDICT"), rows)
    if not exported:
        tell("no exported checkpoints were given: what was cut off at an end cannot be told (--checkpoints)")


def _show(query: AuditQuery, limit: int, database: str, output: Output) -> None:
    with _history(database) as history:
        found = history.find(query, limit=limit)
    match output:
        case Output.JSON | Output.YAML:
            write_data([data_of(entry) for entry in found], output)
        case Output.NAME:
            for entry in found:
                out.print(visible(entry.place), markup=False)
        case Output.TABLE:
            if not found:
                tell("nothing matches")
                return
            now = utc_now()
            print_table(out, HEADERS, [_row(entry, age(entry.at, now)) for entry in found])


def _row(entry: Sealed, old: str) -> list[Cell]:
    return [
        visible(entry.place),
        old,
        visible(entry.actor),
        visible(entry.address or entry.via),
        visible(entry.action),
        visible(entry.target),
        word(entry.result),
        visible(entry.message),
    ]


def visible(text: str) -> str:
    """What an entry says, on a terminal: no control character of it reaches the terminal, and no line of it ends ours."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _query(
    actor: str,
    action: str,
    target: str,
    project: str,
    result: AuditResult | None,
    since: str,
    until: str,
    text: str = "",
) -> AuditQuery:
    now = utc_now()
    return AuditQuery(
        actor=actor,
        action=action,
        target=target,
        project=project,
        result=result,
        since=parse_since(since, now) if since else None,
        until=parse_since(until, now) if until else None,
        text=text,
    )


@contextmanager
def _history(database: str) -> Iterator[AuditHistory]:
    home = find_home()
    if not database and not home.database.is_file():
        fail("no records database is known", hint="trueup up, or --database URL", code=Exit.USAGE)
    with AuditHistory(database or f"sqlite:///{home.database}") as history:
        yield history


def _local(name: str) -> list[Path]:
    """The files of this name of every process of `trueup up`."""
    return sorted(find_home().root.glob(f"*/{FOLDER}/{name}"))


def _local_checkpoints() -> list[Path]:
    return [*_local(CHECKPOINTS + ".1"), *_local(CHECKPOINTS)]
