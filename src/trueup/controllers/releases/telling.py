"""What is foretold of a Helm release as rows for people: objects asked of the API server by dry-run, the chart's CRDs, hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import structs

from trueup.apps.comparison import ObjectComparison
from trueup.controllers.content import Content
from trueup.controllers.releases.foretelling import NONE, Foretold
from trueup.controllers.shell import AppShell
from trueup.model.app import App, DeletionPolicy
from trueup.model.change import Action, Change
from trueup.model.errors import TrueupError
from trueup.model.manifest import Manifest, api_version_of, ref_of
from trueup.model.refs import ObjectRef, split_api_version
from trueup.model.snapshot import Inputs
from trueup.render.built import Asked
from trueup.sync.canonical import masked, masking_of
from trueup.sync.desired import Desired
from trueup.sync.fielddiff import field_changes
from trueup.sync.plan import Plan, make_plan
from trueup.sync.preview import preview
from trueup.sync.prunes import plan_deletion

IN_FLIGHT = 8
EMPTY = Content(desired={}, inputs=Inputs.of("", ()), digest="", source_type="", asked=Asked(), notices=())
"""For what is in no manifest."""


class Compared(Protocol):
    def __call__(
        self, change: Change, content: Content, pair: tuple[Manifest | None, Manifest | None], *, whole: bool
    ) -> ObjectComparison: ...


class ReleaseRows:
    """`compared` and `declared` show one object, as of every App."""

    def __init__(
        self, shell: AppShell, app: App, compared: Compared, declared: Callable[[Desired], ObjectComparison]
    ) -> None:
        self._shell = shell
        self._app = app
        self._compared = compared
        self._declared = declared
        self._applier = shell.applier_for(app.rules)

    def declared(self, foretold: Foretold) -> tuple[ObjectComparison, ...]:
        return tuple(map(self._declared, foretold.content.desired.values())) if foretold.content else ()

    def hooks(self, foretold: Foretold) -> tuple[ObjectComparison, ...]:
        return tuple(
            ObjectComparison(
                ref=ref_of(hook.object),
                version=split_api_version(api_version_of(hook.object))[1],
                action="hook",
                after=self._shown(hook.object, foretold.tainted),
                wave=hook.weight,
                hook=(hook.event,),
            )
            for hook in foretold.hooks
        )

    async def previewed(self, foretold: Foretold, chosen: frozenset[ObjectRef] | None) -> tuple[ObjectComparison, ...]:
        """CRDs first, then objects as they would be sent, prunes last."""
        rules = self._app.rules
        pairs: dict[ObjectRef, tuple[Manifest | None, Manifest | None]] = {}

        def seen(ref: ObjectRef, before: Manifest | None, after: Manifest | None) -> None:
            pairs[ref] = (before, after)

        report = await preview(self._plan(foretold, chosen), self._applier, rules, in_flight=IN_FLIGHT, seen=seen)
        content = foretold.content or EMPTY
        whole = chosen is not None
        rows = [
            self._compared(change, content, pairs.get(change.ref, (None, None)), whole=whole)
            for change in report.changes
            if chosen is None or change.ref in chosen
        ]
        if foretold.action == NONE and not foretold.heals:
            rows = list(map(_left, rows))
        definitions = [await self._definition(crd, foretold) for crd in foretold.definitions]
        return tuple([one for one in definitions if chosen is None or one.ref in chosen] + rows)

    def _plan(self, foretold: Foretold, chosen: frozenset[ObjectRef] | None) -> Plan:
        rules = self._app.rules
        if foretold.content is None:
            gone = structs.replace(rules, deletion_policy=DeletionPolicy.DELETE, suspend=False)
            prunes = plan_deletion(foretold.inventory, {}, gone)
            return Plan(prunes=prunes, settled=prunes.settled)
        return make_plan(
            foretold.content.desired.values(),
            {},
            {},
            foretold.inventory,
            rules,
            only=chosen,
            autoscaled=self._shell.managed.scaled,
        )

    async def _definition(self, crd: Manifest, foretold: Foretold) -> ObjectComparison:
        """A CRD of the chart: made where there is none, replaced only where the release says so."""
        ref, version = ref_of(crd), split_api_version(api_version_of(crd))[1]
        row = ObjectComparison(ref=ref, version=version, action=str(Action.CREATED))
        try:
            live = await self._applier.get(ref, version)
            if live is None:
                return structs.replace(row, after=self._shown(crd, False))
            if not foretold.replace:
                return structs.replace(
                    row,
                    action=str(Action.SKIPPED),
                    reason="OnlyCreate",
                    message="it is there, and is only to be created",
                )
            after = await self._applier.apply(crd, dry_run=True)
        except TrueupError as error:
            return structs.replace(row, action=str(Action.FAILED), reason=error.reason, message=error.message)
        change = Change(
            ref=ref,
            version=version,
            action=Action.CONFIGURED if (fields := field_changes(_spec(live), _spec(after))) else Action.UNCHANGED,
            fields=fields,
        )
        return self._compared(change, EMPTY, (_spec(live), _spec(after)), whole=False)

    def _shown(self, obj: Manifest, tainted: bool) -> Manifest:
        return masked(obj, masking_of(obj, tainted=tainted), self._shell.secret_key)


def _spec(crd: Manifest) -> Manifest:
    return {name: crd[name] for name in ("apiVersion", "kind", "spec") if name in crd}


def _left(row: ObjectComparison) -> ObjectComparison:
    """What differs although no upgrade is due stays so: nothing watches over it."""
    if row.action not in (Action.CREATED, Action.CONFIGURED, Action.RECREATED):
        return row
    return structs.replace(
        row,
        action=str(Action.SKIPPED),
        reason="Drifted",
        message="it differs from the release, and driftDetection does not correct it",
    )
