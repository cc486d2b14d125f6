"""What a Helm release declares, for commands: the manifest in its newest record, which is what the controller keeps true."""

from __future__ import annotations

import secrets

from msgspec import Struct

from trueup.cli.session import Session
from trueup.cluster.applier import ClusterApplier
from trueup.model.app import App
from trueup.model.errors import InvalidInput
from trueup.model.manifest import Declared
from trueup.model.outcome import Notice
from trueup.model.releaserecord import ChartMetadata
from trueup.render.engine.pool import EnginePool
from trueup.render.releases import ReleaseEngine
from trueup.sync.desired import Desired
from trueup.sync.normalise import normalise, resolve_scopes
from trueup.sync.releases.naming import parse_record_name


class DeclaredRelease(Struct, frozen=True, kw_only=True):
    objects: tuple[Declared, ...]
    desired: tuple[Desired, ...]
    chart: ChartMetadata
    version: int
    notices: tuple[Notice, ...]


async def declare_release(session: Session, app: App, engines: EnginePool) -> DeclaredRelease:
    """Raises InvalidInput when nothing is recorded (yet), NoRelease for a record that cannot be read."""
    spec = app.release
    assert spec is not None
    resource = await session.client.discovery.resource("", "v1", "Secret")
    found = await session.client.list_all(
        resource, spec.storage_namespace, label_selector=f"owner=helm,name={spec.name}"
    )
    versions = {parsed[1]: obj for obj in found if (parsed := parse_record_name(obj["metadata"]["name"])) is not None}
    if not versions:
        raise InvalidInput(
            f"there is no record of the release {spec.storage_namespace}/{spec.name}",
            ref=app.ref,
            hint=f"see why: trueup describe {app.ref.kind.lower()}/{app.ref.name} -n {app.ref.namespace}",
        )
    engine = ReleaseEngine(engines)
    recorded = await engine.decode(versions[max(versions)])
    objects = await engine.objects(recorded.objects)
    applier = ClusterApplier(session.client, app.rules.field_manager)
    scopes = await resolve_scopes(objects, applier)
    normalised = normalise(objects, scopes, app.rules, secret_key=secrets.token_bytes(32), tainted=True)
    return DeclaredRelease(
        objects=objects,
        desired=normalised.objects,
        chart=recorded.release.metadata,
        version=recorded.release.version,
        notices=normalised.notices,
    )
