"""New images and artifacts as the registries tell them: Docker Hub, GHCR, Harbor, Quay, ACR, and ECR by EventBridge. Pure.

Each function takes a delivery that has been proved, and answers its news; none: an event that brings nothing new.
Sources: the providers' documentation of webhook payloads; CloudEvents 1.0 for ECR.
"""

from __future__ import annotations

from msgspec import Struct, field

from trueup.model.news import News, NewsKind
from trueup.server.webhooks.delivery import Delivery


class _HubPush(Struct, kw_only=True):
    tag: str = ""


class _HubRepository(Struct, kw_only=True):
    repo_name: str = ""


class _Hub(Struct, kw_only=True):
    push_data: _HubPush = field(default_factory=_HubPush)
    repository: _HubRepository = field(default_factory=_HubRepository)


def docker_hub(delivery: Delivery) -> list[News]:
    told = delivery.read(_Hub)
    return _news("docker.io", told.repository.repo_name, told.push_data.tag)


class _Tag(Struct, kw_only=True):
    name: str = ""


class _ContainerMetadata(Struct, kw_only=True):
    tag: _Tag = field(default_factory=_Tag)


class _PackageVersion(Struct, kw_only=True):
    package_url: str = ""
    container_metadata: _ContainerMetadata | None = None


class _Package(Struct, kw_only=True):
    package_type: str = ""
    ecosystem: str = ""
    package_version: _PackageVersion | None = None


class _GitHubPackage(Struct, kw_only=True):
    action: str = ""
    package: _Package | None = None
    registry_package: _Package | None = None


def ghcr(delivery: Delivery) -> list[News]:
    """GitHub's `package` and `registry_package` events of containers."""
    told = delivery.read(_GitHubPackage)
    package = told.registry_package or told.package
    if package is None or package.package_version is None:
        return []
    if (package.package_type or package.ecosystem).lower() != "container" or told.action not in (
        "published",
        "updated",
    ):
        return []
    address, _, tag = _split_tag(package.package_version.package_url)
    metadata = package.package_version.container_metadata
    host, _, name = address.partition("/")
    return _news(host, name, metadata.tag.name if metadata is not None and metadata.tag.name else tag)


class _HarborResource(Struct, kw_only=True):
    tag: str = ""
    resource_url: str = ""


class _HarborData(Struct, kw_only=True):
    resources: tuple[_HarborResource, ...] = ()


class _Harbor(Struct, kw_only=True):
    type: str = ""
    event_data: _HarborData = field(default_factory=_HarborData)


def harbor(delivery: Delivery) -> list[News]:
    told = delivery.read(_Harbor)
    if told.type not in ("PUSH_ARTIFACT", "PUSH_CHART", "pushImage"):
        return []
    found: list[News] = []
    for resource in told.event_data.resources:
        address, _, tag = _split_tag(resource.resource_url)
        host, _, name = address.partition("/")
        found += _news(host, name, resource.tag or tag)
    return found


class _Quay(Struct, kw_only=True):
    docker_url: str = ""
    updated_tags: tuple[str, ...] = ()


def quay(delivery: Delivery) -> list[News]:
    told = delivery.read(_Quay)
    host, _, name = told.docker_url.partition("/")
    return [news for tag in told.updated_tags or ("",) for news in _news(host, name, tag)]


class _AcrTarget(Struct, kw_only=True):
    repository: str = ""
    tag: str = ""


class _AcrRequest(Struct, kw_only=True):
    host: str = ""


class _Acr(Struct, kw_only=True):
    action: str = ""
    target: _AcrTarget = field(default_factory=_AcrTarget)
    request: _AcrRequest = field(default_factory=_AcrRequest)


def acr(delivery: Delivery) -> list[News]:
    told = delivery.read(_Acr)
    if told.action not in ("push", "chart_push"):
        return []
    return _news(told.request.host, told.target.repository, told.target.tag)


class _EcrDetail(Struct, kw_only=True, rename="kebab"):
    action_type: str = ""
    result: str = ""
    repository_name: str = ""
    image_tag: str = ""


class _Ecr(Struct, kw_only=True):
    """An EventBridge event; as a CloudEvent it is the `data`."""

    account: str = ""
    region: str = ""
    detail: _EcrDetail = field(default_factory=_EcrDetail)


class _CloudEvent(Struct, kw_only=True):
    data: _Ecr = field(default_factory=_Ecr)


def ecr(delivery: Delivery) -> list[News]:
    """As EventBridge sends it, or as a CloudEvent in structured or binary mode."""
    structured = delivery.header("content-type").startswith("application/cloudevents+json")
    told = delivery.read(_CloudEvent).data if structured else delivery.read(_Ecr)
    detail = told.detail
    if (detail.action_type, detail.result) != ("PUSH", "SUCCESS") or not told.account or not told.region:
        return []
    suffix = "amazonaws.com.cn" if told.region.startswith("cn-") else "amazonaws.com"
    return _news(f"{told.account}.dkr.ecr.{told.region}.{suffix}", detail.repository_name, detail.image_tag)


def _split_tag(address: str) -> tuple[str, str, str]:
    """`host:5000/name:tag` -> the address, a colon, the tag; a digest is no tag."""
    head, slash, last = address.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{head}{slash}{name.partition('@')[0]}", colon, "" if "@" in last else tag


def _news(host: str, name: str, tag: str) -> list[News]:
    return [News(kind=NewsKind.OCI, urls=(f"oci://{host}/{name}",), ref=tag)] if host and name else []
