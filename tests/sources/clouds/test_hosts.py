"""A credential of a cloud is shown to that cloud's own hosts alone; and what the annotations of a ServiceAccount say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trueup.model.errors import InvalidInput
from trueup.sources.clouds import hosts
from trueup.sources.clouds.account import CloudAccount
from trueup.sources.oci.address import parse_address

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (ECR, "eu-central-1"),
        ("123456789012.dkr.ecr-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("public.ecr.aws", "us-east-1"),
    ],
)
def test_a_registry_of_aws_says_its_region(host: str, region: str) -> None:
    assert hosts.ecr_region(parse_address(f"oci://{host}/team/app")) == region


@pytest.mark.parametrize(
    "host",
    [
        f"{ECR}.evil.example",
        f"evil-{ECR}",
        "123.dkr.ecr.eu-central-1.amazonawsXcom",
        "123456789012.dkr.ecr.a.b.amazonaws.com",
        f"{ECR}:8443",
        "registry.example.com",
        "localhost:5000",
    ],
)
def test_another_registry_is_not_shown_a_credential(host: str) -> None:
    address = parse_address(f"oci://{host}/team/app")
    for check in (hosts.ecr_region, hosts.check_acr, hosts.check_google):
        with pytest.raises(InvalidInput, match="not shown a credential"):
            check(address)


def test_the_scope_of_a_registry_of_azure_is_of_its_own_cloud() -> None:
    scopes = [hosts.check_acr(parse_address(f"oci://shop.azurecr.{end}/app")) for end in ("io", "cn", "us")]
    assert scopes == [
        "https://management.azure.com/.default",
        "https://management.chinacloudapi.cn/.default",
        "https://management.usgovcloudapi.net/.default",
    ]
    for host in ("eu.gcr.io", "gcr.io", "europe-west3-docker.pkg.dev"):
        hosts.check_google(parse_address(f"oci://{host}/app"))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            hosts.check_sts,
            ["https://sts.eu-central-1.amazonaws.com", "https://vpce-1.sts.us-east-1.vpce.amazonaws.com/"],
            [
                "http://sts.amazonaws.com",
                "https://sts.amazonaws.com.evil.example",
                "https://sts.amazonaws.com:444",
                "https://user@sts.amazonaws.com",
                "https://evil.example/sts.amazonaws.com",
            ],
        ),
        (
            hosts.check_blobs,
            ["https://shop.blob.core.windows.net", "https://shop.blob.core.usgovcloudapi.net"],
            ["http://shop.blob.core.windows.net", "https://shop.blob.core.windows.net.evil.example"],
        ),
        (
            hosts.check_google_storage,
            ["storage.googleapis.com", "https://storage.googleapis.com"],
            ["http://storage.googleapis.com", "evilgoogleapis.com", "storage.googleapis.com@evil.example"],
        ),
        (
            hosts.check_git_of_azure,
            ["https://dev.azure.com/o/p/_git/r", "https://o.visualstudio.com/p/_git/r"],
            [
                "http://dev.azure.com/o/p/_git/r",
                "https://dev.azure.com.evil.example/",
                "ssh://git@ssh.dev.azure.com/v3",
            ],
        ),
    ],
)
def test_only_the_clouds_own_endpoints_are_told_who_we_are(
    check: Callable[[str], None], good: list[str], bad: list[str]
) -> None:
    for url in good:
        check(url)
    for url in bad:
        with pytest.raises(InvalidInput):
            check(url)


def account(**annotations: str) -> CloudAccount:
    return CloudAccount(namespace="shop", name="puller", annotations=annotations)


def test_the_annotations_of_a_service_account_say_what_it_is_in_each_cloud() -> None:
    said = {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/team/puller",
        "azure.workload.identity/client-id": "11111111-2222-3333-4444-555555555555",
        "azure.workload.identity/tenant-id": "66666666-7777-8888-9999-000000000000",
        "iam.gke.io/gcp-service-account": "puller@shop-1.iam.gserviceaccount.com",
        "gcp.auth.fluxcd.io/workload-identity-provider": "projects/1/locations/global/workloadIdentityPools/p/providers/x",
    }
    who = CloudAccount(namespace="shop", name="puller", annotations=said)
    assert who.role.endswith("role/team/puller")
    assert who.tenant_and_client == (
        said["azure.workload.identity/tenant-id"],
        said["azure.workload.identity/client-id"],
    )
    assert who.google_account == said["iam.gke.io/gcp-service-account"]
    assert who.google_provider == f"//iam.googleapis.com/{said['gcp.auth.fluxcd.io/workload-identity-provider']}"


@pytest.mark.parametrize(
    ("key", "text", "read"),
    [
        ("eks.amazonaws.com/role-arn", "", lambda who: who.role),
        ("eks.amazonaws.com/role-arn", "arn:aws:iam::1:user/x", lambda who: who.role),
        ("azure.workload.identity/tenant-id", "shop", lambda who: who.tenant_and_client),
        ("iam.gke.io/gcp-service-account", "x@y/../z", lambda who: who.google_account),
        ("gcp.auth.fluxcd.io/workload-identity-provider", "projects/x", lambda who: who.google_provider),
    ],
)
def test_a_wrong_annotation_is_named(key: str, text: str, read: Callable[[CloudAccount], object]) -> None:
    with pytest.raises(InvalidInput, match=key):
        read(CloudAccount(namespace="shop", name="puller", annotations={key: text}))
