"""What a pod needs before its containers can be made: the ConfigMaps and Secrets that it refers to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from trueup.embedded.storage.keys import Resource
from trueup.embedded.workloads.kinds import CONFIG_MAPS, SECRETS
from trueup.embedded.workloads.objects import dig, rows_of
from trueup.model.manifest import Manifest


class Need(Struct, frozen=True):
    """One reference. `volume` is the volume that mounts it; empty when it is an environment's. `item` is the key needed."""

    resource: Resource
    name: str
    volume: str = ""
    item: str = ""


def needs_of(pod: Manifest) -> Iterator[Need]:
    """Every reference that is not optional, volumes first, as kubelet meets them."""
    for volume in rows_of(pod, "spec", "volumes"):
        yield from _of_volume(volume)
    for part in ("initContainers", "containers"):
        for container in rows_of(pod, "spec", part):
            for source in rows_of(container, "envFrom"):
                yield from _of_reference(dig(source, "configMapRef"), CONFIG_MAPS)
                yield from _of_reference(dig(source, "secretRef"), SECRETS)
            for variable in rows_of(container, "env"):
                yield from _of_reference(dig(variable, "valueFrom", "configMapKeyRef"), CONFIG_MAPS)
                yield from _of_reference(dig(variable, "valueFrom", "secretKeyRef"), SECRETS)


def _of_volume(volume: dict[str, object]) -> Iterator[Need]:
    name = str(volume.get("name") or "")
    sources = [volume, *rows_of(volume, "projected", "sources")]
    for source in sources:
        config, secret = dig(source, "configMap"), dig(source, "secret")
        if isinstance(config, dict) and config.get("name") and not config.get("optional"):
            yield Need(CONFIG_MAPS, str(config["name"]), name)
        if isinstance(secret, dict) and not secret.get("optional"):
            wanted = secret.get("secretName") or secret.get("name")
            if wanted:
                yield Need(SECRETS, str(wanted), name)


def _of_reference(reference: object, resource: Resource) -> Iterator[Need]:
    if isinstance(reference, dict) and reference.get("name") and not reference.get("optional"):
        yield Need(resource, str(reference["name"]), "", str(reference.get("key") or ""))


def complaint(need: Need, namespace: str, *, exists: bool) -> tuple[str, str]:
    """(reason, message) of the container that waits for it."""
    kind = "configmap" if need.resource == CONFIG_MAPS else "secret"
    if need.volume:
        message = f'MountVolume.SetUp failed for volume "{need.volume}" : {kind} "{need.name}" not found'
        return "ContainerCreating", message
    if exists:
        noun = "ConfigMap" if need.resource == CONFIG_MAPS else "Secret"
        return "CreateContainerConfigError", f"couldn't find key {need.item} in {noun} {namespace}/{need.name}"
    return "CreateContainerConfigError", f'{kind} "{need.name}" not found'
