"""Where the cluster is and who we are, as kubectl would read it from the same files."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from trueup.cluster.config import ClusterConfig, load_config
from trueup.cluster.credentials import Credential, ExecCredentials, TokenFileCredentials, read_exec_answer
from trueup.cluster.kubeconfig import ClusterStanza, ExecEnvironment, ExecStanza
from trueup.cluster.proxy import proxy_for
from trueup.model.errors import AuthenticationFailed, InvalidInput

NO_POD = Path("/nonexistent")


def write(path: Path, **overrides: Any) -> Path:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": "c", "cluster": {"server": "https://one:6443/"}}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document | overrides))
    return path


def user(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "u", "user": fields}]


def credential_of(config: ClusterConfig) -> Credential:
    return asyncio.run(_current(config))


async def _current(config: ClusterConfig) -> Credential:
    return await config.credentials.current()


def test_the_current_context_gives_server_token_and_namespace(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "config"))
    assert (config.server, config.namespace) == ("https://one:6443", "default")
    assert credential_of(config).authorization == "Bearer t0ken"
    assert "context 'x'" in config.described


def test_another_context_can_be_named_and_an_unknown_one_names_those_that_exist(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        contexts=[
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "y", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        ],
    )
    assert load_config(path, "y").namespace == "shop"
    with pytest.raises(InvalidInput, match="no context 'z'") as caught:
        load_config(path, "z")
    assert caught.value.hint == "it has x, y"


def test_of_several_files_the_first_to_say_something_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", **{"current-context": ""}, users=[])
    second = write(
        tmp_path / "b",
        clusters=[{"name": "c", "cluster": {"server": "https://two"}}],
        contexts=[{"name": "y", "context": {"cluster": "c", "user": "u"}}],
        **{"current-context": "y"},
    )
    third = write(tmp_path / "c", **{"current-context": "x"})
    environ = {"KUBECONFIG": f"{first}:{tmp_path / 'missing'}::{second}:{third}"}
    config = load_config(environ=environ, pod_account=NO_POD)
    assert config.server == "https://one:6443"
    assert "context 'y'" in config.described


def test_relative_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    first = write(here / "config", users=[], clusters=[{"name": "c", "cluster": {"server": "https://one"}}])
    second = write(
        there / "config", users=user(**{"client-certificate": "cert.pem", "client-key": "keys/key.pem"}), clusters=[]
    )
    (there / "keys").mkdir()
    (there / "cert.pem").write_text("CERT")
    (there / "keys" / "key.pem").write_text("KEY")
    config = load_config(environ={"KUBECONFIG": f"{first}:{second}"}, pod_account=NO_POD)
    assert credential_of(config) == Credential("", b"CERT", b"KEY")


def test_data_wins_over_files_and_is_base64(tmp_path: Path) -> None:
    data = base64.b64encode(b"CA").decode()
    cluster = {"server": "https://one", "certificate-authority-data": data, "certificate-authority": "/nowhere"}
    path = write(tmp_path / "config", clusters=[{"name": "c", "cluster": cluster}])
    assert load_config(path).tls.ca == b"CA"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "config", users=user(**{"client-certificate": "gone.pem", "client-key": "gone.key"}))
    with pytest.raises(InvalidInput, match=r"client-certificate .*/gone.pem cannot be read"):
        load_config(path)


def test_a_password_is_basic_authentication(tmp_path: Path) -> None:
    config = load_config(write(tmp_path / "config", users=user(username="jane", password="pw")))
    assert credential_of(config).authorization == "Basic " + base64.b64encode(b"jane:pw").decode()


def test_a_token_file_wins_over_a_token_and_is_read_again_each_minute(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    config = load_config(write(tmp_path / "config", users=user(token="inline", tokenFile="token")))
    assert credential_of(config).authorization == "Bearer from-file"

    now = 0.0
    credentials = TokenFileCredentials(tmp_path / "token", clock=lambda: now)

    async def read() -> str:
        return (await credentials.current()).authorization

    assert asyncio.run(read()) == "Bearer from-file"
    (tmp_path / "token").write_text("rotated")
    now = 59.0
    assert asyncio.run(read()) == "Bearer from-file"
    now = 60.0
    assert asyncio.run(read()) == "Bearer rotated"
    (tmp_path / "token").unlink()
    now = 200.0
    assert asyncio.run(read()) == "Bearer rotated"


def test_whom_to_act_as_and_the_name_to_verify_are_read(tmp_path: Path) -> None:
    cluster = {"server": "https://one", "tls-server-name": "api.example", "proxy-url": "http://proxy:3128"}
    path = write(
        tmp_path / "config",
        clusters=[{"name": "c", "cluster": cluster}],
        users=user(**{"token": "t", "as": "jane", "as-groups": ["dev"]}),
    )
    config = load_config(path)
    assert (config.impersonate_user, config.impersonate_groups) == ("jane", ("dev",))
    assert (config.tls.server_name, config.proxy) == ("api.example", "http://proxy:3128")


def test_fields_without_a_value_mean_the_same_as_no_fields(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "clusters:\n- {name: c, cluster: {server: 'https://one', certificate-authority: }}\n"
        "users:\n- {name: u, user: }\ncontexts:\n- {name: x, context: {cluster: c, user: u, namespace: }}\n"
        "current-context: x\n"
    )
    assert credential_of(load_config(path)) == Credential()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"current-context": ""}, "sets no current-context"),
        ({"clusters": []}, "names the cluster 'c', which is not there"),
        ({"users": []}, "names the user 'u', which is not there"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "has no server"),
        ({"clusters": [{"name": "c", "cluster": {"server": "one:6443"}}]}, "not an http or https URL"),
        ({"clusters": "c"}, r"not one: Expected `array \| null`, got `str` - at `\$.clusters`"),
        ({"users": user(**{"auth-provider": {"name": "oidc"}})}, "auth-provider 'oidc'"),
        ({"users": user(**{"client-certificate-data": "%%%"})}, "client-certificate-data is not base64"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        load_config(write(tmp_path / "config", **overrides))


def test_a_file_that_is_not_yaml_names_the_line_and_shows_no_content(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("users:\n- name: u\n  user: {token: s3cret\n")
    with pytest.raises(InvalidInput, match=r"config, line \d+ is not YAML") as caught:
        load_config(path)
    assert "s3cret" not in str(caught.value)


def test_in_a_pod_the_mounted_account_is_used(tmp_path: Path) -> None:
    for name, text in (("token", "pod-token"), ("ca.crt", "CA"), ("namespace", "trueup-system")):
        (tmp_path / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": "/nonexistent"}
    config = load_config(environ=environ, pod_account=tmp_path)
    assert (config.server, config.namespace, config.tls.ca) == ("https://10.0.0.1:443", "trueup-system", b"CA")
    assert credential_of(config).authorization == "Bearer pod-token"
    six = load_config(environ=environ | {"KUBERNETES_SERVICE_HOST": "fd00::1"}, pod_account=tmp_path)
    assert six.server == "https://[fd00::1]:443"


def test_without_anything_the_error_says_what_to_try(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no cluster is configured") as caught:
        load_config(environ={"HOME": str(tmp_path)}, pod_account=NO_POD)
    assert "trueup up" in caught.value.hint
    with pytest.raises(InvalidInput, match="KUBECONFIG names"):
        load_config(environ={"KUBECONFIG": str(tmp_path / "nope")}, pod_account=NO_POD)
    with pytest.raises(InvalidInput, match="there is no kubeconfig"):
        load_config(tmp_path / "nope")


def test_the_file_in_the_home_folder_is_the_last_resort(tmp_path: Path) -> None:
    write(tmp_path / ".kube" / "config")
    assert load_config(environ={"HOME": str(tmp_path)}, pod_account=NO_POD).server == "https://one:6443"


# exec plugins

PLUGIN = """#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" > "$OUT/info"
echo run >> "$OUT/runs"
cat "$OUT/answer"
echo "$1 $EXTRA" >&2
exit $(cat "$OUT/code" 2>/dev/null || echo 0)
"""


class Plugin:
    """A credential plugin whose answer the test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "plugin"
        path.write_text(PLUGIN)
        path.chmod(0o755)
        self.now = 1_000_000.0

    def answers(self, code: int = 0, **status: Any) -> None:
        document = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        (self.folder / "answer").write_text(json.dumps(document))
        (self.folder / "code").write_text(str(code))

    @property
    def runs(self) -> int:
        return len((self.folder / "runs").read_text().splitlines())

    @property
    def info(self) -> Any:
        return json.loads((self.folder / "info").read_text())

    def credentials(self, **stanza: Any) -> ExecCredentials:
        stanza.setdefault("command", "./plugin")
        return ExecCredentials(
            ExecStanza(
                args=["hello"],
                env=[ExecEnvironment("OUT", str(self.folder)), ExecEnvironment("EXTRA", "more")],
                **stanza,
            ),
            ClusterStanza(server="https://one"),
            self.folder,
            ca_data=b"CA",
            now=lambda: self.now,
        )


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


async def test_a_plugin_is_run_once_until_its_token_expires(plugin: Plugin) -> None:
    credentials = plugin.credentials()
    plugin.answers(token="one", expirationTimestamp="1970-01-12T14:46:40Z")  # 1,003,600
    first = await asyncio.gather(*(credentials.current() for _ in range(5)))
    assert {credential.authorization for credential in first} == {"Bearer one"}
    assert plugin.runs == 1
    plugin.answers(token="two")
    plugin.now = 1_003_595.0  # a token that ends on the way is of no use
    assert (await credentials.current()).authorization == "Bearer two"
    assert plugin.runs == 2


async def test_a_refused_token_makes_the_plugin_run_again(plugin: Plugin) -> None:
    credentials = plugin.credentials()
    plugin.answers(token="one")
    await credentials.current()
    assert credentials.refused()
    plugin.answers(token="two")
    assert (await credentials.current()).authorization == "Bearer two"


async def test_a_plugin_may_give_a_certificate_beside_or_instead_of_a_token(plugin: Plugin) -> None:
    plugin.answers(clientCertificateData="CERT", clientKeyData="KEY")
    assert await plugin.credentials().current() == Credential("", b"CERT", b"KEY")


async def test_a_plugin_is_told_the_cluster_only_when_it_asks(plugin: Plugin) -> None:
    plugin.answers(token="t")
    await plugin.credentials().current()
    assert plugin.info["spec"] == {"interactive": False}
    await plugin.credentials(provide_cluster_info=True).current()
    assert plugin.info["spec"]["cluster"] == {
        "server": "https://one",
        "certificate-authority-data": base64.b64encode(b"CA").decode(),
    }


async def test_a_plugin_that_fails_shows_what_it_said(plugin: Plugin) -> None:
    plugin.answers(code=3, token="s3cret")
    with pytest.raises(AuthenticationFailed, match="ended with 3: hello more") as caught:
        await plugin.credentials().current()
    assert "s3cret" not in str(caught.value)


async def test_a_plugin_that_is_not_installed_gives_its_own_hint(plugin: Plugin) -> None:
    missing = plugin.credentials(command="no-such-plugin", install_hint="brew install it")
    with pytest.raises(AuthenticationFailed, match="is not installed") as caught:
        await missing.current()
    assert caught.value.hint == "brew install it"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"not json", "did not print an ExecCredential"),
        (b'{"kind":"ExecCredential"}', "did not print an ExecCredential with a status"),
        (
            b'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","status":{"token":"t"}}',
            "v1beta1",
        ),
        (
            b'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{}}',
            "neither a token nor",
        ),
        (
            b'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
            b'"status":{"token":"t","expirationTimestamp":"soon"}}',
            "not RFC 3339",
        ),
    ],
)
def test_an_answer_that_is_none_says_why(output: bytes, message: str) -> None:
    with pytest.raises(AuthenticationFailed, match=message):
        read_exec_answer(output, ExecStanza("plugin"))


def test_a_protocol_version_that_was_retired_is_named(plugin: Plugin) -> None:
    with pytest.raises(InvalidInput, match="v1alpha1"):
        plugin.credentials(api_version="client.authentication.k8s.io/v1alpha1")


# proxies


def test_the_kubeconfigs_proxy_wins_over_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://env:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.1,.local")
    assert str(proxy_for("https://api.example", "")) == "http://env:3128"
    assert str(proxy_for("https://api.example", "http://own:1")) == "http://own:1"
    assert proxy_for("https://10.0.0.1:6443", "") is None
    assert proxy_for("https://kube.local", "") is None
    with pytest.raises(InvalidInput, match="socks5"):
        proxy_for("https://api.example", "socks5://x:1")
