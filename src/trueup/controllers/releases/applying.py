"""Brings the cluster to what a release's manifest says, by the App's own engine, and waits until its objects are well."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from msgspec import Struct, structs

from trueup.controllers.content import Content, check_marks
from trueup.controllers.expressed import expressed_verdicts
from trueup.controllers.recording import KeptManifests
from trueup.controllers.releases.work import ActionFailed, ReleaseWork
from trueup.controllers.reporting import change_summary, failure_message, images_of
from trueup.controllers.syncing import SyncWish, plan_sync, run_plan
from trueup.controllers.waits import HealthWait, WaitOutcome, WaitState, judge_wait
from trueup.model.apierror import ApiError
from trueup.model.change import Action, SyncReport
from trueup.model.inventory import Inventory, InventoryEntry
from trueup.model.manifest import Manifest, annotations_of, labels_of, uid_of
from trueup.model.refs import GroupKind, ObjectRef
from trueup.model.release import CrdPolicy
from trueup.model.snapshot import Inputs
from trueup.records.record import StoredManifest
from trueup.render.built import Asked
from trueup.render.releases import Document
from trueup.sync.canonical import keyed_digest
from trueup.sync.desired import Desired
from trueup.sync.facts import LiveFacts
from trueup.sync.marks import Ownership, ownership
from trueup.sync.normalise import normalise, resolve_scopes

JOB = GroupKind("batch", "Job")
CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
ESTABLISH_SECONDS = timedelta(seconds=60)


class Applied(Struct, frozen=True, kw_only=True):
    """`created`: what was not there before, with the uids that it got."""

    report: SyncReport
    manifests: tuple[StoredManifest, ...]
    created: dict[ObjectRef, str]


async def content_of(work: ReleaseWork, documents: tuple[Document, ...], *, tainted: bool) -> Content:
    """The objects of a manifest as they are to be. Raises BuildFailed, InvalidManifests, NotBuiltYet."""
    shell, app = work.shell, work.app
    declared = await shell.releases.engine.objects(documents)
    check_marks(declared, shell.dialect_of(work.memory.ref))
    scopes = await resolve_scopes(declared, work.applier)
    normalised = normalise(declared, scopes, app.rules, secret_key=shell.secret_key, tainted=tainted)
    return Content(
        desired={item.ref: item for item in normalised.objects},
        inputs=work.memory.saved.inputs or Inputs.of("", ()),
        digest=keyed_digest(sorted(item.digest for item in normalised.objects), shell.secret_key),
        source_type="Helm",
        asked=Asked(),
        notices=normalised.notices,
    )


async def apply_content(work: ReleaseWork, content: Content, within: timedelta) -> Applied:
    """One request per object that differs, then the prunes of what left the manifest. Raises ActionFailed, LeaseLost."""
    shell, memory = work.shell, work.memory
    app = structs.replace(work.app, rules=structs.replace(work.app.rules, timeout=within))
    memory.desired = content.desired
    memory.saved.content_digest, memory.saved.source_type = content.digest, content.source_type
    memory.saved.images = images_of(item.manifest for item in content.desired.values())
    plan = await plan_sync(memory, app, content, shell, SyncWish())
    memory.notices = (*content.notices, *plan.notices)
    kept = KeptManifests(shell.secret_key, plan)
    uids: dict[ObjectRef, str] = {}

    def keep(ref: ObjectRef, answer: Manifest) -> None:
        uids[ref] = uid_of(answer)
        kept.keep(ref, answer)

    job = work.job
    execution = await run_plan(
        memory,
        app,
        plan,
        work.applier,
        shell,
        revision=work.revision,
        started=job.started if job is not None else shell.clock(),
        keep=keep,
    )
    report = execution.report
    created = {c.ref: uids[c.ref] for c in report.changes if c.action is Action.CREATED and c.ref in uids}
    applied = Applied(report=report, manifests=kept.stored, created=created)
    if report.failures:
        raise ApplyFailed(work.masker.text(failure_message(report)), applied)
    memory.out_of_sync, memory.synced = set(), True
    return applied


class ApplyFailed(ActionFailed):
    """Some objects could not be applied; nothing was pruned. `applied` tells of the others."""

    def __init__(self, message: str, applied: Applied) -> None:
        super().__init__(message)
        self.applied = applied


async def wait_for_objects(work: ReleaseWork, content: Content, within: timedelta, *, jobs: bool) -> None:
    """Until all objects are well, or one failed. Raises ActionFailed when one fails or the time is over."""
    shell = work.shell
    refs = tuple(ref for ref in content.desired if jobs or ref.group_kind != JOB)
    now = shell.loop_time()
    wait = HealthWait(refs=refs, started=now, deadline=now + within.total_seconds())

    async def look() -> WaitOutcome | None:
        facts = shell.tracking.facts(refs)
        verdicts = {ref: fact.verdict if isinstance(fact, LiveFacts) else None for ref, fact in facts.items()}
        versions = {ref: content.desired[ref].version for ref in refs}
        verdicts |= await expressed_verdicts(versions, work.app.rules.health_expressions, work.applier, shell)
        outcome = judge_wait(wait, verdicts, shell.loop_time())
        return None if outcome.state is WaitState.WAITING else outcome

    outcome = await work.until(look, within) or await look()
    if outcome is not None and outcome.state is not WaitState.DONE:
        raise ActionFailed(outcome.message)
    if outcome is None:
        raise ActionFailed(f"its objects were not ready within {within}")


async def install_definitions(work: ReleaseWork, documents: tuple[Document, ...], policy: CrdPolicy) -> None:
    """The CRDs of the chart's `crds` directory, before anything of it is rendered. They are never pruned.

    Anything else in there is left out and told, as in Flux: it would belong to no release.
    """
    if policy is CrdPolicy.SKIP or not documents:
        return
    shell = work.shell
    entries: list[InventoryEntry] = []
    for declared in await shell.releases.engine.objects(documents):
        crd, ref = declared.manifest, declared.ref
        if ref.group_kind != CRD:
            work.tell(
                "ManifestSkipped",
                f"{ref} is no CRD, and the chart has it in crds/: put it into templates/",
                warning=True,
            )
            continue
        try:
            answer = await work.applier.create(crd) if policy is CrdPolicy.CREATE else await work.applier.apply(crd)
        except ApiError as error:
            if error.code != 409 or policy is not CrdPolicy.CREATE:
                raise ActionFailed(f"{ref} cannot be installed: {error.message}") from error
            answer = await work.applier.get(ref, "v1") or crd
        entries.append(InventoryEntry(ref, "v1"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ESTABLISH_SECONDS.total_seconds()):
                await shell.established(answer)
    work.crds = tuple(entries)


async def make_namespace(work: ReleaseWork) -> None:
    """The release's namespace, where it is not there; it is nobody's, and stays when the release goes."""
    name = work.spec.namespace
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"name": name}}}
    try:
        await work.applier.create(namespace)
    except ApiError as error:
        if error.code != 409:
            raise ActionFailed(f"the namespace {name} cannot be made: {error.message}") from error


async def refuse_others(work: ReleaseWork, content: Content, known: Inventory) -> None:
    """Raises ActionFailed when an object that is new to the release is there already and somebody else's."""
    for ref, item in content.desired.items():
        if ref in known:
            continue
        live = await _live(work, item)
        if live is None:
            continue
        if ownership(work.app.rules.owner, ref, labels_of(live), annotations_of(live)) is not Ownership.OURS:
            raise ActionFailed(
                f"{ref} is there already, and does not belong to the release "
                f"{work.spec.namespace}/{work.spec.name} (disableTakeOwnership)"
            )


async def delete_created(work: ReleaseWork, applied: Applied) -> None:
    """What a failed upgrade made, and nothing else: by the uid that the object got from us."""
    for change in applied.report.changes:
        uid = applied.created.get(change.ref)
        if uid is None:
            continue
        with contextlib.suppress(ApiError):
            await work.applier.delete(
                change.ref, change.version, uid=uid, resource_version="", propagation="Background"
            )
        work.memory.records.pop(change.ref, None)


async def _live(work: ReleaseWork, item: Desired) -> Manifest | None:
    return await work.applier.get(item.ref, item.version)


__all__ = [
    "Applied",
    "ApplyFailed",
    "apply_content",
    "change_summary",
    "content_of",
    "delete_created",
    "install_definitions",
    "make_namespace",
    "refuse_others",
    "wait_for_objects",
]
