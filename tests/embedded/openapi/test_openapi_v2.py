"""`/openapi/v2` is what the real server publishes, as JSON and as protobuf, and a real kubectl can live on it.

What the real server makes of the kinds in `kinds.yaml` is recorded in `published.json`; a `real` test proves the record.
`UPDATE_GOLDEN=1` with that test writes it anew.
"""

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.embedded.api.comparing import Server
from tests.embedded.fixtures import EmbeddedCluster
from tests.peers.controlplane import ControlPlane
from tests.peers.kubectl import Kubectl
from trueup.embedded.api.crd.compile import kinds_of
from trueup.embedded.api.openapi_v2.document import base, custom_part, merged
from trueup.embedded.api.openapi_v2.gnostic import MEDIA_TYPE, OLD_MEDIA_TYPE, encode_document
from trueup.embedded.api.openapi_v2.yamltext import yaml_text
from trueup.embedded.api.protobuf.wire import fields

HERE = Path(__file__).parent
RECORDED = HERE / "published.json"
DEFINITIONS = list(yaml.safe_load_all((HERE / "kinds.yaml").read_text()))
PATHS, SCHEMAS = 8, 9
"""Fields of the document's message."""
LIST = {
    "kind": "List",
    "apiVersion": "v1",
    "items": [
        {
            "apiVersion": "shop.example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "one", "namespace": "default"},
            "spec": {"size": "small", "free": {"a": "b"}, "labels": {"x": "y"}, "parts": [{"name": "p", "count": 1}]},
        },
        {
            "apiVersion": "example.org/v1beta1",
            "kind": "Zone",
            "metadata": {"name": "north"},
            "spec": {"color": "blue"},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "of-a-list", "namespace": "default"},
            "data": {"k": "v"},
        },
    ],
}


def custom() -> dict[str, Any]:
    return custom_part([kind for definition in DEFINITIONS for kind in kinds_of(definition)])


def entries(message: bytes, number: int) -> dict[str, bytes]:
    """The named members of a document's paths or definitions: name -> the message of it, as it was sent."""
    found: dict[str, bytes] = {}
    for field, content in fields(message):
        if field != number:
            continue
        assert isinstance(content, bytes)
        for _, pair in fields(content):
            assert isinstance(pair, bytes)
            (_, name), (_, value) = fields(pair)
            assert isinstance(name, bytes)
            assert isinstance(value, bytes)
            found[name.decode()] = value
    return found


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDED.read_text())
    return found


def test_custom_kinds_have_the_paths_and_definitions_that_the_real_server_gives_them() -> None:
    assert custom() == recorded()["json"]


def test_the_message_of_each_is_the_real_servers_byte_for_byte() -> None:
    message = encode_document(recorded()["json"])
    for part, number in (("paths", PATHS), ("definitions", SCHEMAS)):
        made = {name: base64.b64encode(content).decode() for name, content in entries(message, number).items()}
        assert made == recorded()["message"][part]


def test_a_kind_without_a_declared_shape_gets_none() -> None:
    """Or kubectl would refuse every field that is not named."""
    made = custom()["definitions"]["com.example.shop.v1alpha1.Widget"]
    assert set(made) == {"type", "x-kubernetes-group-version-kind"}


# Fractions without an exponent: the reader here is of YAML 1.1, which takes `1e-9` for a text.
FRACTIONS = st.integers(-(10**6), 10**6).map(lambda number: number / 8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text() | FRACTIONS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_values_read_back_from_yaml_as_they_were(value: Any) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("atomic", "atomic\n"),
        ("", '""\n'),
        ("no: count", "'no: count'\n"),
        ("it's", "it's\n"),
        ("two\nlines", '"two\\nlines"\n'),
        ("Yes", "'Yes'\n"),
        ("12", "'12'\n"),
        ([], "[]\n"),
        ({}, "{}\n"),
        (
            [{"group": "", "of": {"a": [1, True, None]}}],
            '- group: ""\n  of:\n    a:\n      - 1\n      - true\n      - null\n',
        ),
    ],
)
def test_values_are_written_so(value: Any, text: str) -> None:
    assert yaml_text(value) == (text if value != "it's" else "'it''s'\n")


async def put_kinds(server: Server) -> None:
    """Makes the kinds, and waits until they are published."""
    for definition in DEFINITIONS:
        status, _ = await server.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        assert status in (201, 409)

    async def are_published() -> bool:
        return set(custom()["definitions"]) <= set((await server.send("GET", "/openapi/v2"))[1]["definitions"])

    await until(are_published)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 (another process knows)
            await asyncio.sleep(0.1)


async def fetched(server: Server, accept: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    assert server.session is not None
    async with server.session.get("/openapi/v2", headers={"Accept": accept} | headers) as response:
        return response.status, response.headers.copy(), await response.read()


async def test_both_forms_are_served_and_kept_by_their_tag(fresh_embedded_cluster: EmbeddedCluster) -> None:
    async with Server(fresh_embedded_cluster.kubeconfig) as server:
        _, first, bare = await fetched(server, OLD_MEDIA_TYPE)
        assert bare == encode_document(base())
        await put_kinds(server)
        status, headers, message = await fetched(server, f"{OLD_MEDIA_TYPE};q=0.9,*/*;q=0.1")
        assert (status, headers["Content-Type"]) == (200, MEDIA_TYPE)
        assert set(entries(message, SCHEMAS)) == set(base()["definitions"]) | set(custom()["definitions"])
        assert headers["ETag"] != first["ETag"]
        again = await fetched(server, OLD_MEDIA_TYPE, **{"If-None-Match": headers["ETag"]})
        assert (again[0], again[2]) == (304, b"")
        status, as_json, text = await fetched(server, "*/*")
        assert (status, as_json["Content-Type"], as_json["ETag"]) == (200, "application/json", headers["ETag"])
        assert json.loads(text) == merged(base(), custom())
        assert (await fetched(server, "text/html"))[0] == 406
    fresh_embedded_cluster.kill()
    fresh_embedded_cluster.start()
    async with Server(fresh_embedded_cluster.kubeconfig) as server:
        assert (await fetched(server, OLD_MEDIA_TYPE, **{"If-None-Match": headers["ETag"]}))[0] == 304


async def test_a_kind_that_is_gone_is_published_no_more(fresh_embedded_cluster: EmbeddedCluster) -> None:
    async with Server(fresh_embedded_cluster.kubeconfig) as server:
        await put_kinds(server)
        for definition in DEFINITIONS:
            name = definition["metadata"]["name"]
            await server.send("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        bare = encode_document(base())

        async def is_bare() -> bool:
            return (await fetched(server, OLD_MEDIA_TYPE))[2] == bare

        await until(is_bare)


@pytest.mark.real
async def test_the_record_is_what_the_real_server_publishes(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        await put_kinds(server)
        _, _, text = await fetched(server, "application/json")
        _, _, message = await fetched(server, OLD_MEDIA_TYPE)
    published = json.loads(text)
    assert published == merged(base(), custom())
    assert encode_document(published) == message
    said = {
        "json": {part: {name: published[part][name] for name in custom()[part]} for part in ("paths", "definitions")},
        "message": {
            part: {
                name: base64.b64encode(content).decode()
                for name, content in entries(message, number).items()
                if name in custom()[part]
            }
            for part, number in (("paths", PATHS), ("definitions", SCHEMAS))
        },
    }
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(said, indent=1) + "\n")
    assert recorded() == said


def spoken(kubectl: Kubectl, kubeconfig: Path) -> list[str]:
    """What kubectl says while it lives with kinds that only `/openapi/v2` tells it about."""
    first, then = json.dumps(LIST), json.dumps(LIST).replace("small", "large").replace("blue", "red")
    steps: list[tuple[list[str], str]] = [
        (["apply", "-f", "-"], first),
        (["apply", "-f", "-"], first),
        (["diff", "-f", "-"], then),
        (["apply", "-f", "-"], then),
        (["create", "-f", "-"], first),
        (["replace", "-f", "-"], first),
        (["explain", "widget.spec.parts"], ""),
        (["explain", "--output=plaintext-openapiv2", "widget.spec"], ""),
        (["explain", "--output=plaintext-openapiv2", "zones", "--recursive"], ""),
        (["explain", "--output=plaintext-openapiv2", "deployment.spec.strategy"], ""),
        (["apply", "-f", "-"], first.replace('"labels"', '"lables"')),
        (["delete", "-f", "-"], first),
    ]
    said = []
    for arguments, stdin in steps:
        done = kubectl(kubeconfig, *arguments, input=stdin)
        # File names of a diff, and what differs from one object to the next.
        lines = [line for line in done.stdout.splitlines() if not line.startswith(("diff ", "--- ", "+++ ", "@@ "))]
        kept = [line for line in lines if not any(each in line for each in ("uid:", "resourceVersion:", "Timestamp:"))]
        said.append("\n".join([" ".join(arguments), str(done.returncode), *kept, done.stderr]))
    return said


@pytest.mark.real
async def test_kubectl_says_of_a_list_what_it_says_with_the_real_server(
    kubectl: Kubectl, bare_control_plane: ControlPlane, fresh_embedded_cluster: EmbeddedCluster
) -> None:
    said = []
    for each in (bare_control_plane, fresh_embedded_cluster):
        async with Server(each.kubeconfig) as server:
            await put_kinds(server)
        said.append(await asyncio.to_thread(spoken, kubectl, each.kubeconfig))
    for real, ours in zip(*said, strict=True):
        assert ours == real
