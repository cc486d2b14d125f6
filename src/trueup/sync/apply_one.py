"""Apply one object: normally one request; more only where fields are taken over, or an immutable one forces a new object."""

from __future__ import annotations

import asyncio

from trueup.model.apierror import ApiError
from trueup.model.app import SyncRules
from trueup.model.change import Action
from trueup.model.errors import Transient
from trueup.model.manifest import Manifest, api_version_of, resource_version_of, spec_of, uid_of
from trueup.sync.applier import Applier
from trueup.sync.autoscaling import with_replicas
from trueup.sync.facts import REPLICAS, own_entry
from trueup.sync.ignoring import with_live_values
from trueup.sync.outcomes import Outcome, applied, settled
from trueup.sync.ownership import takeover_patch
from trueup.sync.plan import Send
from trueup.sync.replacing import is_recreated, may_be_recreated, replacement

TAKEOVER_ATTEMPTS = 3
CONFLICT_ATTEMPTS = 3


class StuckDeletion(Transient):
    """An object that has to go before it can be made anew does not go."""

    reason = "StuckDeletion"


async def apply_one(send: Send, applier: Applier, rules: SyncRules, secret_key: bytes) -> Outcome:
    """Raises ApiError, KindNotServed, ClusterUnreachable, StuckDeletion: this object's own failure."""
    manifest = await _with_live_replicas(send, applier, rules) if send.ask_replicas else send.manifest
    if send.respect and (live := await applier.get(send.ref, send.desired.version)) is not None:
        manifest = with_live_values(manifest, live, send.ignore)
    if send.only_create:
        try:
            answer = await applier.create(manifest)
        except ApiError as error:
            if error.code == 409:
                return settled(send, Action.SKIPPED, "OnlyCreate", "it is there, and is only to be created")
            raise
        return applied(send, answer, rules.field_manager, secret_key, action=Action.CREATED)
    action = None
    try:
        if is_recreated(send) and await applier.get(send.ref, send.desired.version) is not None:
            answer, action = await _recreate(send, applier, rules), Action.RECREATED
        else:
            if send.replace:
                await _replace(send, manifest, applier)
            answer = await _apply(manifest, applier)
    except ApiError as error:
        if not (error.is_immutable and send.force and (may_be_recreated(send.ref) or not send.replace)):
            raise
        answer, action = await _recreate(send, applier, rules), Action.RECREATED
    if not send.merge:
        answer = await _take_over(answer, manifest, send, applier, rules)
    return applied(send, answer, rules.field_manager, secret_key, action=action)


async def _apply(manifest: Manifest, applier: Applier) -> Manifest:
    """The server merges by itself; a conflict means that it gave up after others wrote many times, and asks us to retry."""
    for _ in range(CONFLICT_ATTEMPTS - 1):
        try:
            return await applier.apply(manifest)
        except ApiError as error:
            if not error.is_conflict or error.is_immutable or error.reason != "Conflict":
                raise
    return await applier.apply(manifest)


async def _replace(send: Send, manifest: Manifest, applier: Applier) -> None:
    """Writes the whole object where there is one; somebody who writes at the same time makes us look again."""
    for attempt in range(CONFLICT_ATTEMPTS):
        live = await applier.get(send.ref, send.desired.version)
        if live is None:
            return
        try:
            await applier.replace(replacement(send, manifest, live))
            return
        except ApiError as error:
            if not error.is_conflict or error.is_immutable or attempt + 1 == CONFLICT_ATTEMPTS:
                raise


async def _take_over(answer: Manifest, manifest: Manifest, send: Send, applier: Applier, rules: SyncRules) -> Manifest:
    """Folds other managers' fields into ours and applies again, which removes what the declaration does not say."""
    for attempt in range(TAKEOVER_ATTEMPTS):
        api_version = api_version_of(manifest)
        patch = takeover_patch(answer, rules.field_manager, rules.takeover_managers, api_version)
        if patch is None:
            break
        try:
            await applier.patch_json(send.ref, send.desired.version, patch)
        except ApiError as error:
            # Somebody wrote in between: the next answer shows what is there now.
            if error.code not in (409, 422) or attempt + 1 == TAKEOVER_ATTEMPTS:
                raise
        answer = await applier.apply(manifest)
    return answer


async def _recreate(send: Send, applier: Applier, rules: SyncRules) -> Manifest:
    """Deletes the object that cannot be changed in place and makes it anew once it is gone."""
    if uid := await _deleted(send, applier):
        await _until_gone(send, uid, applier, rules)
    # The declared replicas are for a new object, whatever an autoscaler did to the old one.
    return await applier.apply(send.desired.manifest)


async def _deleted(send: Send, applier: Applier) -> str:
    """The uid of what was there; empty: nothing. Another that has its name by now is nobody's to delete here."""
    version, uid = send.desired.version, ""
    for attempt in range(CONFLICT_ATTEMPTS):
        live = await applier.get(send.ref, version)
        if live is None or uid not in ("", uid_of(live)):
            return uid
        uid = uid_of(live)
        try:
            await applier.delete(
                send.ref, version, uid=uid, resource_version=resource_version_of(live), propagation="Background"
            )
            return uid
        except ApiError as error:
            # Its status is written while it rolls, and makes new versions of it.
            if not error.is_conflict or attempt + 1 == CONFLICT_ATTEMPTS:
                raise
    return uid


async def _until_gone(send: Send, uid: str, applier: Applier, rules: SyncRules) -> None:
    pause = 0.05
    try:
        async with asyncio.timeout(rules.timeout.total_seconds()):
            while (live := await applier.get(send.ref, send.desired.version)) is not None and uid_of(live) == uid:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
    except TimeoutError as error:
        raise StuckDeletion(
            f"was deleted to be made anew, but is still there after {rules.timeout}",
            hint="see its finalizers: kubectl get -o jsonpath={.metadata.finalizers}",
        ) from error


async def _with_live_replicas(send: Send, applier: Applier, rules: SyncRules) -> Manifest:
    """An autoscaler decides the replicas and we have not seen the object: keep what it has."""
    live = await applier.get(send.ref, send.desired.version)
    if live is None:
        return send.manifest
    _, others = own_entry(live, rules.field_manager)
    replicas = spec_of(live).get("replicas")
    return with_replicas(send.manifest, None if others.contains(REPLICAS) else replicas)
