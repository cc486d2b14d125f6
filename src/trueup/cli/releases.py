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
from trueup.model.release import ReleaseSpec
from trueup.model.releaserecord import ChartMetadata
from trueup.render.engine.pool import EnginePool
from trueup.render.releases import Recorded, ReleaseEngine
from trueup.sync.desired import Desired
from trueup.sync.normalise import normalise, resolve_scopes
from trueup.sync.releases.naming import parse_record_name


class DeclaredRelease(Struct, frozen=True, kw_only=True):
    objects: tuple[Declared, ...]
    desired: tuple[Desired, ...]
    chart: ChartMetadata
    version: int
    notices: tuple[Notice, ...]


async def declare_release(there: Session, app: App, engines: EnginePool) -> DeclaredRelease:
    """`there`: the cluster of its objects. Raises InvalidInput when nothing is recorded (yet), NoRelease for what cannot be read."""
    spec = app.release
    assert spec is not None
    engine = ReleaseEngine(engines)
    recorded = await newest_record(there, spec, engine)
    if recorded is None:
        raise InvalidInput(
            f"there is no record of the release {spec.storage_namespace}/{spec.name}",
            ref=app.ref,
            hint=f"see why: trueup describe {app.ref.kind.lower()}/{app.ref.name} -n {app.ref.namespace}",
        )
    objects = await engine.objects(recorded.objects)
    applier = ClusterApplier(there.client, app.rules.field_manager)
    scopes = await resolve_scopes(objects, applier)
    normalised = normalise(objects, scopes, app.rules, secret_key=secrets.token_bytes(32), tainted=True)
    return DeclaredRelease(
        objects=objects,
        desired=normalised.objects,
        chart=recorded.release.metadata,
        version=recorded.release.version,
        notices=normalised.notices,
    )


async def newest_record(there: Session, spec: ReleaseSpec, engine: ReleaseEngine) -> Recorded | None:
    """None: nothing is recorded of the release. Raises NoRelease for a record that cannot be read."""
    resource = await there.client.discovery.resource("", "v1", "Secret")
    found = await there.client.list_all(resource, spec.storage_namespace, label_selector=f"owner=helm,name={spec.name}")
    versions = {parsed[1]: obj for obj in found if (parsed := parse_record_name(obj["metadata"]["name"])) is not None}
    return await engine.decode(versions[max(versions)]) if versions else None
