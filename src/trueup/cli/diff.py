"""`trueup diff`: what a sync would change, asked of the API server by dry-run; nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct, structs

from trueup.cli.console import Exit, out, shown, tell
from trueup.cli.declared import Declaration, WorkingTree, declare, open_tree
from trueup.cli.difftext import DIFFERENT, diff_lines, headline, summary, visible
from trueup.cli.elsewhere import at_target
from trueup.cli.engines import renderer
from trueup.cli.intree import apps_of_tree
from trueup.cli.options import AppNames, Context, Format, Kubeconfig, Namespace, Output
from trueup.cli.output import write_data, write_names
from trueup.cli.progress import Progress, failed, progress
from trueup.cli.remotes import Fetch
from trueup.cli.session import Found, Session, in_session
from trueup.cluster.applier import ClusterApplier
from trueup.model.change import Action, Change
from trueup.model.errors import InvalidInput, TrueupError
from trueup.model.refs import ObjectRef
from trueup.render.render import Renderer
from trueup.sync.plan import make_plan
from trueup.sync.preview import preview

IN_FLIGHT = 8


class AppDiff(Struct, frozen=True, kw_only=True):
    """What a sync of one App would do."""

    app: ObjectRef
    revision: str
    changes: tuple[Change, ...]

    @property
    def differs(self) -> bool:
        return any(change.action in DIFFERENT for change in self.changes)

    @property
    def failed(self) -> bool:
        return any(change.action is Action.FAILED for change in self.changes)


@shown
def diff(
    names: AppNames = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            help="Take this working tree in place of what Git has: for one App also the folder in it, "
            "and without a name all Apps that it declares.",
        ),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when there are differences.")] = False,
    fetch: Fetch = False,
    output: Format = Output.TABLE,
    namespace: Namespace = "",
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Show what a sync would change, field by field, with what would be pruned. Secrets stay hidden."""

    async def work(session: Session) -> Exit:
        found = [item for item in await session.find_all(names or []) if not _refuse_source(item)]
        tree = await open_tree(path) if path is not None else None
        if tree is not None:
            if not names:
                found = await apps_of_tree(session, tree, found)
            if len(found) > 1 or not names:
                tree = structs.replace(tree, inside="")  # each App's own path
        diffs, broken = await compare_all(session, found, tree, output, fetch=fetch)
        if output in (Output.JSON, Output.YAML):
            write_data([_as_data(item) for item in diffs], output)
        elif output is Output.NAME:
            write_names(change.ref for item in diffs for change in item.changes if change.action in DIFFERENT)
        if broken or any(item.failed for item in diffs):
            return Exit.FAILED
        return Exit.DIFFERENCES if exit_code and any(item.differs for item in diffs) else Exit.OK

    sys.exit(int(in_session(work, kubeconfig, context, namespace)))


def _refuse_source(found: Found) -> bool:
    if found.kind.is_source:
        raise InvalidInput("it is a source: only Apps have objects to compare", ref=found.ref)
    return False


async def compare_all(
    session: Session, found: Sequence[Found], tree: WorkingTree | None, output: Output, *, fetch: bool = False
) -> tuple[list[AppDiff], bool]:
    """The differences of all Apps, and whether any could not be compared. One that fails does not stop the others."""
    diffs: list[AppDiff] = []
    broken = False
    for item in found:
        try:
            with progress(f"comparing {item.ref}") as reporter:
                async with renderer(reporter, fetch=fetch or tree is None) as rendering:
                    declared, changes = await compare(session, item, rendering, tree, reporter)
        except TrueupError as error:
            broken = True
            text = str(error)
            failed(text if text.startswith(str(item.ref)) else f"{item.ref}: {text}")
            continue
        diffs.append(AppDiff(app=item.ref, revision=str(declared.revision), changes=changes))
        if output is Output.TABLE:
            _print(item.ref, declared, changes)
    return diffs, broken


async def compare(
    session: Session, found: Found, rendering: Renderer, tree: WorkingTree | None, reporter: Progress
) -> tuple[Declaration, tuple[Change, ...]]:
    """Renders, plans without knowing anything of what is live, and asks the server about each object."""
    declared = await declare(session, found, rendering, tree, reporter)
    app = declared.app
    inventory = found.kind.dialect.stored_inventory(found.obj)
    plan = make_plan(declared.desired, {}, {}, inventory, app.rules)
    reporter.update(f"asking the server about {len(plan.sends)} objects")
    async with at_target(session, app.target) as there:
        applier = ClusterApplier(there.client, app.rules.field_manager)
        report = await preview(plan, applier, app.rules, in_flight=IN_FLIGHT)
    return declared, report.changes


def _print(ref: ObjectRef, declared: Declaration, changes: Sequence[Change]) -> None:
    desired = {item.ref: visible(item.manifest, tainted=declared.tainted) for item in declared.desired}
    for line in diff_lines(changes, desired):
        out.print(line)
    for notice in declared.notices:
        tell(f"note: {notice.message}")
    tell(f"{ref} at {declared.place}: {summary(changes)}")


async def preview_all(session: Session, found: Sequence[Found]) -> bool:
    """`trueup sync --dry-run`: each object's part in one line. Whether a sync would go well."""
    well = True
    for item in found:
        with progress(f"comparing {item.ref}") as reporter:
            async with renderer(reporter, fetch=True) as rendering:
                declared, changes = await compare(session, item, rendering, None, reporter)
        for change in changes:
            if change.action is Action.FAILED:
                well = False
            if change.action is not Action.UNCHANGED:
                line = headline(change)
                if change.message:
                    line.append(f"  {change.message.splitlines()[0]}")
                out.print(line)
        tell(f"{item.ref} at {declared.place}: {summary(changes)}; nothing was changed")
    return well


def _as_data(item: AppDiff) -> dict[str, object]:
    """One row per change, with the refs as the texts that every other command prints."""
    return {
        "app": str(item.app),
        "revision": item.revision,
        "changes": [
            {
                "ref": str(change.ref),
                "version": change.version,
                "action": str(change.action),
                "fields": list(change.fields),
                "message": change.message,
                "origin": str(change.origin) if change.origin else "",
            }
            for change in item.changes
        ],
    }
