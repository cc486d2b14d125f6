"""Kubeconfigs that others wrote: what they may say, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from trueup.cluster.foreign import MOST_BYTES, Leave, config_of_kubeconfig, identity_of, pick
from trueup.model.errors import InvalidInput

SECRET = "Secret/shop/there"


def kubeconfig(user: dict[str, Any] | None = None, **cluster: Any) -> bytes:
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://there:6443", **cluster}}],
            "users": [{"name": "u", "user": user or {"token": "secret-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    ).encode()


def multiplied(times: int) -> bytes:
    """Ten times as much with every line."""
    lines = [f"a{row}: &a{row} [{', '.join([f'*a{row - 1}'] * 10)}]" for row in range(1, times)]
    return "\n".join(["a0: &a0 [x]", *lines]).encode()


async def test_text_is_enough() -> None:
    config = config_of_kubeconfig(kubeconfig(), SECRET)
    assert config.server == "https://there:6443"
    assert (await config.credentials.current()).authorization == "Bearer secret-token"
    assert SECRET in config.described
    assert "secret-token" not in repr(config)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (kubeconfig({"exec": {"apiVersion": "v1", "command": "steal"}}), "'steal'"),
        (kubeconfig({"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}), "tokenFile"),
        (kubeconfig({"client-certificate": "a.pem", "client-key": "b.pem"}), "client-certificate"),
        (kubeconfig({"client-certificate-data": "YQ==", "client-key": "b.pem"}), "client-key"),
        (kubeconfig({"auth-provider": {"name": "gcp"}}), "auth-provider"),
        (kubeconfig(**{"certificate-authority": "/etc/ssl/ca.pem"}), "certificate-authority"),
        (kubeconfig(**{"insecure-skip-tls-verify": True}), "insecure-skip-tls-verify"),
        (kubeconfig(server="ftp://there"), "not an http or https URL"),
        (kubeconfig(server="https://[there"), "not an http or https URL"),
        (kubeconfig(server="https://there:port"), "not an http or https URL"),
        (b"current-context: x\n", "has no context 'x'"),
        (b"{", "not YAML"),
        (b"\xff", "not UTF-8"),
        (b"a" * (MOST_BYTES + 1), "are allowed"),
        (b"a: " + b"[" * 200_000, "nested too deep"),
        (b"a: " + b"- " * 200_000, "not YAML"),
        (b"- " * 200_000, "nested too deep"),
        (b"a: &a [*a]", "an alias names nothing"),
        (b"a: " + b"1:1" * 100_000, "a number is too long"),
        (multiplied(9), "its aliases make too much of it"),
    ],
)
def test_what_reaches_into_the_controller_or_is_none_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        config_of_kubeconfig(content, SECRET)
    assert SECRET in str(refused.value)


def test_whoever_runs_the_controller_may_allow_more() -> None:
    leave = Leave(exec_plugins=True, unverified_tls=True)
    config = config_of_kubeconfig(
        kubeconfig(
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "token"}},
            **{"insecure-skip-tls-verify": True},
        ),
        SECRET,
        leave,
    )
    assert config.tls.insecure


def test_the_default_keys_are_fluxs() -> None:
    assert pick({"value.yaml": b"b", "value": b"a"}, "", SECRET) == b"a"
    assert pick({"value.yaml": b"b"}, "", SECRET) == b"b"
    assert pick({"config": b"c", "value": b"a"}, "config", SECRET) == b"c"
    with pytest.raises(InvalidInput, match=r"'value' or 'value\.yaml': it has kubeconfig"):
        pick({"kubeconfig": b"c"}, "", SECRET)


def test_an_identity_tells_where_its_parts_end() -> None:
    assert identity_of("a", "bc") != identity_of("ab", "c")
