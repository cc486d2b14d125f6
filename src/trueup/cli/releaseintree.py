"""What a Helm release would become with the chart of a working tree: rendered as its next install or upgrade, with this person's rights.

The chart is made of the tree as the controller makes it of Git's (dependencies, values files), the values are those of the
cluster, and `lookup` is answered. Nothing is written. Hooks and the chart's CRDs are no objects of a release: they are told of.
"""

from __future__ import annotations

import asyncio
import secrets

from msgspec import structs

from trueup.cli.charttree import charts_of_tree
from trueup.cli.fetching import ListedRepositories, read_source
from trueup.cli.progress import Progress
from trueup.cli.releases import DeclaredRelease, newest_record
from trueup.cli.session import Session
from trueup.cluster.applier import ClusterApplier
from trueup.controllers.capabilities import ClusterCapabilities
from trueup.controllers.releases.applying import CRD
from trueup.controllers.releases.chartroot import chart_root
from trueup.controllers.releases.chartvalues import ValuesFrom, gather_values
from trueup.controllers.releases.reads import Lookups
from trueup.controllers.values import ValueStore
from trueup.dialects.registry import dialect_for
from trueup.model.app import App
from trueup.model.errors import InvalidInput
from trueup.model.manifest import ref_of
from trueup.model.outcome import Notice
from trueup.model.release import CrdPolicy
from trueup.model.snapshot import Snapshot
from trueup.model.source import GitSource, HelmChartSource, ReconcileStrategy
from trueup.render.engine.pool import EnginePool
from trueup.render.releases import Preparation, ReleaseEngine
from trueup.sync.normalise import normalise, resolve_scopes

NOT_COMPARED = "NotComparedWarning"
SAME_VERSION = "SameVersionWarning"


async def chart_in_git(session: Session, app: App) -> tuple[HelmChartSource, GitSource] | None:
    """The chart of a release, by path, with the repository that holds it; None: it comes from elsewhere. Raises InvalidInput."""
    assert app.release is not None
    try:
        chart = await read_source(session, app.source)  # its generation is a part of the version
    except InvalidInput:
        if (made := app.release.chart_object) is None:
            raise
        dialect = dialect_for(ref_of(made).group_kind, session.dialects)
        assert dialect is not None
        chart = dialect.read_source(made)
    if not isinstance(chart, HelmChartSource):
        return None
    origin = await read_source(session, chart.origin)
    return (chart, origin) if isinstance(origin, GitSource) else None


async def declare_release_of_tree(
    session: Session,
    there: Session,
    app: App,
    tree: Snapshot,
    inside: str,
    engines: EnginePool,
    reporter: Progress,
) -> DeclaredRelease:
    """`there`: the cluster of its objects. `inside`: the chart's folder, in place of the release's own path; empty: that.

    Raises InvalidInput where the chart comes from elsewhere, and what fetching dependencies and rendering raise.
    """
    found = await chart_in_git(session, app)
    if found is None:
        raise InvalidInput(
            "its chart does not come from a Git repository: a folder cannot stand in for it",
            ref=app.ref,
            hint="leave --path out",
        )
    chart = structs.replace(found[0], chart=inside) if inside else found[0]
    reporter.update(f"reading the chart {chart.chart}")
    find = ListedRepositories(session).find
    async with charts_of_tree(tree, engines, find=find, origin=found[1]) as charts:
        snapshot = await charts.chart(chart)
        release = await _declared(session, there, app, snapshot, ReleaseEngine(engines), reporter)
    return structs.replace(
        release, notices=(*release.notices, *await _same_version(there, app, chart, release, engines))
    )


async def _same_version(
    there: Session, app: App, chart: HelmChartSource, release: DeclaredRelease, engines: EnginePool
) -> tuple[Notice, ...]:
    """Charts in Git are released by their version, which people forget to raise."""
    assert app.release is not None
    recorded = await newest_record(there, app.release, ReleaseEngine(engines))
    if chart.strategy is not ReconcileStrategy.CHART_VERSION or recorded is None:
        return ()
    if recorded.release.metadata.version != release.chart.version:
        return ()
    message = (
        f"{release.chart} is released already, so a push of it releases nothing: raise the version in Chart.yaml, "
        "or set reconcileStrategy: Revision"
    )
    return (Notice(SAME_VERSION, message),)


async def _declared(
    session: Session, there: Session, app: App, snapshot: Snapshot, engine: ReleaseEngine, reporter: Progress
) -> DeclaredRelease:
    spec = app.release
    assert spec is not None
    path = await asyncio.to_thread(chart_root, snapshot)
    metadata, _ = await engine.metadata(snapshot, path)
    own = ValuesFrom(ValueStore(lambda ref: session.get(ref, "v1")), secrets.token_bytes(32))
    gathered = await gather_values(spec, own, fresh=True)
    recorded = await newest_record(there, spec, engine)
    version = recorded.release.version + 1 if recorded is not None else 1
    keeps = recorded is not None and spec.upgrade.preserve_values
    reporter.update(f"rendering {metadata}")
    prepared = await engine.prepare(
        snapshot,
        Preparation(
            chart=path,
            name=spec.name,
            namespace=spec.namespace,
            revision=version,
            upgrade=recorded is not None,
            values=gathered.values,
            version=metadata.version,
            previous=recorded.release if recorded is not None and keeps else None,
            capabilities=await ClusterCapabilities(there.client).look(),
            validate_values=(spec.upgrade if recorded is not None else spec.install).validate_values,
            post_renderers=spec.post_renderers,
            strategy=spec.post_render_strategy,
            labels=spec.origin_labels,
            common_metadata=spec.common_metadata,
        ),
        Lookups(there.client)(structs.replace(app.rules, service_account="")),
    )
    objects = await engine.objects(prepared.objects)
    scopes = await resolve_scopes(objects, ClusterApplier(there.client, app.rules.field_manager))
    normalised = normalise(objects, scopes, app.rules, secret_key=secrets.token_bytes(32), tainted=True)
    crds = (spec.upgrade if recorded is not None else spec.install).crds
    definitions = await engine.definitions(snapshot, path) if crds is not CrdPolicy.SKIP else ()
    notices = [*normalised.notices]
    found = [item.ref for item in await engine.objects(definitions)] if definitions else []
    if names := ", ".join(ref.name for ref in found if ref.group_kind == CRD):
        notices.append(Notice(NOT_COMPARED, f"CRDs of the chart come first ({crds}), and are not compared: {names}"))
    if prepared.release.hooks:
        names = ", ".join(hook.name for hook in prepared.release.hooks)
        notices.append(Notice(NOT_COMPARED, f"hooks and tests of the chart are not compared: {names}"))
    return DeclaredRelease(
        objects=objects,
        desired=normalised.objects,
        chart=metadata,
        version=version,
        notices=tuple(notices),
    )
