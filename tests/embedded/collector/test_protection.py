"""Claims and volumes in use stay until nothing uses them."""

from tests.embedded.workloads.world import World
from trueup.embedded.workloads.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from trueup.model.manifest import Manifest, is_deleting

CLAIM: Manifest = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
POD: Manifest = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "user", "namespace": "default"},
    "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}


async def test_a_claim_in_use_goes_when_its_last_pod_has_gone(world: World) -> None:
    await world.apply(CLAIM)
    await world.apply(POD)
    await world.settled()
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    await world.settled()
    claim = world.client.get(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    assert claim is not None
    assert is_deleting(claim)
    await world.client.delete(PODS, "default", "user", grace_period_seconds=0)
    await world.settled()
    assert world.client.get(PERSISTENT_VOLUME_CLAIMS, "default", "data") is None
    assert list(world.client.list(PERSISTENT_VOLUMES)) == []


async def test_a_bound_volume_stays_until_its_claim_goes(world: World) -> None:
    await world.apply(CLAIM)
    await world.settled()
    [volume] = world.client.list(PERSISTENT_VOLUMES)
    await world.client.delete(PERSISTENT_VOLUMES, "", volume["metadata"]["name"])
    await world.settled()
    [volume] = world.client.list(PERSISTENT_VOLUMES)
    assert is_deleting(volume)
    await world.client.delete(PERSISTENT_VOLUME_CLAIMS, "default", "data")
    await world.settled()
    assert list(world.client.list(PERSISTENT_VOLUMES)) == []
