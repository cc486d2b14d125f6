"""Bodies that are no objects: the real server's refusals, in Go's words; and whatever is sent, an answer without a traceback.

The real answers are in `cases/malformed-recorded.json`.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import proven
from tests.peers.controlplane import ControlPlane
from trueup.embedded.api.gojson import LIMIT, syntax_error

RECORDED = Path(__file__).parent / "cases" / "malformed-recorded.json"
MAPS = "/api/v1/namespaces/default/configmaps"
JSON_BODIES = (
    *(
        "",
        " ",
        "{",
        "[]",
        "null",
        "1",
        '"x"',
        "true",
        "nonsense",
        "nul",
        '{"a":}',
        '{"a"',
        '{"a" 1}',
        '{"a":1 "b"}',
        "[1 2]",
    ),
    *('{"metadata":{"name":"a"}', '{"metadata":{"name":1}}', '{"data":{"a":1}}', '{"data":[]}', '{"kind":1}'),
    *(
        '{"kind":"ConfigMap","apiVersion":1}',
        '{"kind":"Nope","apiVersion":"v1"}',
        '{"kind":"ConfigMap","apiVersion":"a/b/c"}',
    ),
    *(
        '{"metadata":{"name":"a"}} trailing',
        '{"metadata":{"name":"a"}}{}',
        '{"a":NaN}',
        "{'a':1}",
        '{"a":1,}',
        "[1,]",
        "-",
        "-x",
    ),
    *(
        "01",
        "1.",
        "1.x",
        "1e",
        "1e+",
        '"\\x"',
        '"\\u12g4"',
        '"a\tb"',
        '"open',
        "\ufeff{}",
        "apiVersion: v1\nkind: ConfigMap\n",
    ),
    *(
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"metadata":{"labels":{"a":1}}}',
        '{"immutable":"yes"}',
        '{"metadata":{"name":{}}}',
    ),
)
YAML_BODIES = ("a: b: c", "- a", "a: [", "\tx", "x", "a: b\nc: [", "metadata: {name: 1}", "a: b\n\tc: d")
TYPES = (
    "text/plain",
    "application/xml",
    "application/cbor",
    "application/merge-patch+json",
    "multipart/form-data",
    "*/*",
)


async def answers_of(server: Server) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for media, bodies in (("application/json", JSON_BODIES), ("application/yaml", YAML_BODIES)):
        for body in bodies:
            answer = await server.send("POST", f"{MAPS}?dryRun=All", body.encode(), content_type=media)
            said[f"{media}: {body[:60]}"] = scrubbed(list(answer))
    for media in TYPES:
        said[media] = scrubbed(list(await server.send("POST", MAPS, b"{}", content_type=media)))
    large = json.dumps({"metadata": {"name": "large"}, "data": {"x": "y" * (3 * 1024 * 1024)}}).encode()
    merge = "application/merge-patch+json"
    for method, path, media in (
        ("POST", MAPS, ""),
        ("PUT", f"{MAPS}/a", ""),
        ("PATCH", f"{MAPS}/a", merge),
        ("DELETE", f"{MAPS}/a", ""),
    ):
        answer = await server.send(method, path, large, content_type=media or "application/json")
        said[f"{method} of more than 3 MiB"] = scrubbed(list(answer))
    return said


async def test_malformed_bodies_are_refused_as_by_the_real_server(bare_embedded_cluster: EmbeddedCluster) -> None:
    recorded = json.loads(RECORDED.read_text())
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        said = await answers_of(server)
    assert said.keys() == recorded.keys()
    for title, answer in said.items():
        assert answer == recorded[title], title


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        said = await answers_of(server)
    proven(RECORDED, said)


@given(st.text(alphabet='{}[]",:\\u0123ae+-.tfn \t', max_size=40))
@settings(max_examples=500)
def test_exactly_what_is_no_json_has_something_wrong(text: str) -> None:
    try:
        json.loads(text, parse_constant=lambda _: 1 / 0)
        is_json = True
    except (ValueError, ZeroDivisionError):
        is_json = False
    assert (syntax_error(text.encode()) == "") is is_json


def test_a_text_of_megabytes_is_not_looked_through() -> None:
    assert syntax_error(b"[" + b"1," * LIMIT) == ""


ODD = st.binary(max_size=200) | st.text(alphabet='{}[]",:\\*&!-a1\n ', max_size=80).map(str.encode)


@given(
    bodies=st.lists(st.tuples(ODD, st.sampled_from(("application/json", "application/yaml"))), min_size=25, max_size=25)
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_sent_is_answered_without_a_traceback(
    bare_embedded_cluster: EmbeddedCluster, bodies: list[tuple[bytes, str]]
) -> None:
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        for body, media in bodies:
            status, _ = await server.send("POST", f"{MAPS}?dryRun=All", body, content_type=media)
            assert status in (201, 400, 422), body
    assert "Traceback" not in bare_embedded_cluster.log
