"""Protobuf bodies mean what the same object's JSON means, for every kind that a typed Go client can send.

`cases/protobuf-samples.jsonl.gz` holds what Go writes, in JSON and in protobuf, of every kind with every field filled;
`protobuf-recorded.json` requests of typed clients and the real server's answers. `UPDATE_GOLDEN=1` with the `real` test,
which runs the Go program in tools/kubernetes/protosamples, writes both anew.
"""

import asyncio
import base64
import gzip
import json
import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.embedded.api.comparing import Server, path_of, plurals_of, scrubbed
from tests.embedded.fixtures import EmbeddedCluster, running_cluster
from tests.peers.controlplane import ControlPlane
from tests.peers.toolchain import build_environment, find_go
from trueup.embedded.api.protobuf import decode as protobuf

CASES = Path(__file__).parent / "cases"
TOOL = Path(__file__).parents[3] / "tools" / "kubernetes"
SAMPLES, RECORDED = CASES / "protobuf-samples.jsonl.gz", CASES / "protobuf-recorded.json"
STEPS = yaml.safe_load((CASES / "protobuf.yaml").read_text())
NAMESPACE = "proto"
METHODS = {"create": "POST", "post": "POST", "update": "PUT", "delete": "DELETE"}
NEVER_A_BODY = re.compile(
    "(?!Delete).*Options|API(Group|Versions)|RangeAllocation|SerializedReference|ConversionReview"
)
KNOWN_DIFFERENCES = {
    "Node proto-node": "a new node is not tainted: no node here waits for its kubelet",
    "18 create pods": "limit ranges are stored, and not enforced",
}


def samples() -> list[dict[str, Any]]:
    lines = gzip.decompress(SAMPLES.read_bytes()).decode().splitlines()
    return [each for line in lines if not NEVER_A_BODY.fullmatch((each := json.loads(line))["kind"])]


@pytest.mark.parametrize("sample", samples(), ids=lambda each: f"{each['kind']}-{each['apiVersion']}-{each['variant']}")
def test_a_kind_is_read_as_go_writes_it_in_json(sample: dict[str, Any]) -> None:
    assert protobuf.decode(base64.b64decode(sample["protobuf"])) == sample["json"]


def test_every_kind_of_the_typed_clients_is_there() -> None:
    groups = {each["apiVersion"].rpartition("/")[0].partition(".")[0] for each in samples()}
    expected = "admissionregistration apiextensions apiregistration apps authentication authorization autoscaling batch"
    expected += " certificates coordination discovery events flowcontrol networking node policy rbac scheduling storage"
    assert groups >= {"", *expected.split()}


def test_bytes_that_are_no_protobuf_are_refused_and_nothing_else_happens() -> None:
    chance = random.Random(20260102)
    bodies = [base64.b64decode(each["protobuf"]) for each in samples()]
    for _ in range(4000):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randrange(1, 4)):
            if chance.random() < 0.3:
                del body[chance.randrange(4, len(body)) :]
                body += b"\x00" * (len(body) < 5)
            else:
                body[chance.randrange(4, len(body))] = chance.randrange(256)
        try:
            made = protobuf.decode(bytes(body))
        except ValueError:
            continue
        json.dumps(made)


# Against the real server's answers.


def objects() -> list[dict[str, Any]]:
    """The objects of `defaults.yaml`, in the one namespace of these tests: a name cannot be exchanged in a body."""
    text = (CASES / "defaults.yaml").read_text().replace("NAMESPACE", NAMESPACE)
    return [each for each in yaml.safe_load_all(text) if each]


async def requests(server: Server) -> list[dict[str, Any]]:
    """Every request: its title, method, path and object, the objects of `defaults.yaml` first."""
    plurals = await plurals_of(server)
    made = []
    for each in objects():
        title = f"{each['kind']} {each['metadata']['name']}"
        made.append({"title": title, "method": "POST", "path": path_of(each, plurals, NAMESPACE), "object": each})
    for number, step in enumerate(STEPS):
        verb = next(verb for verb in METHODS if verb in step)
        group = step.get("group", "v1")
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        path = step[verb] if step[verb].startswith("/") else f"{root}/namespaces/{NAMESPACE}/{step[verb]}"
        sent = step.get("object") or step["options"]
        made.append({"title": f"{number} {verb} {step[verb]}", "method": METHODS[verb], "path": path, "object": sent})
    return made


def bad_bodies() -> dict[str, bytes]:
    """What is wrong with the bytes of a ConfigMap, by what was done to them."""
    good = next(
        base64.b64decode(each["protobuf"])
        for each in samples()
        if each["kind"] == "Lease" and each["variant"] == "zeros"
    )
    chance = random.Random(7)
    bad = {
        "nothing": b"",
        "the prefix alone": protobuf.MAGIC,
        "another prefix": b"k8x\x00" + good[4:],
        "half a prefix": good[:2],
        "JSON": b'{"apiVersion": "v1", "kind": "Lease", "metadata": {"name": "a"}}',
        "a number without end": protobuf.MAGIC + b"\xff" * 12,
        "a wire type that is none": protobuf.MAGIC + b"\x0f",
        "a group": protobuf.MAGIC + b"\x0c",
        "another kind": good.replace(b"Lease", b"Event"),
        "an unknown kind": good.replace(b"Lease", b"Peace"),
        "too much": protobuf.MAGIC + b"a" * (3 * 1024 * 1024),
    }
    bad |= {f"the first {size} bytes": good[:size] for size in range(5, len(good), 9)}
    for number in range(30):
        changed = bytearray(good)
        changed[chance.randrange(4, len(good))] ^= 1 << chance.randrange(7)
        bad[f"one bit changed, {number}"] = bytes(changed)
    return bad


async def answers_of(server: Server, sent: list[dict[str, Any]]) -> dict[str, Any]:
    """The answers to the requests, which carry `body` in base64, and to the bad bodies."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for account in ("default", "runner"):
        await server.send("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": account}})
    said = {}
    for each in sent:
        status, answer = await _send(server, each["method"], each["path"], base64.b64decode(each["body"]))
        said[each["title"]] = [status, answer]
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases?dryRun=All"
    for title, body in bad_bodies().items():
        status, answer = await _send(server, "POST", path, body)
        said[f"bad: {title}"] = [status, answer.get("message", "") if isinstance(answer, dict) else answer]
    return said


async def _send(server: Server, method: str, path: str, body: bytes) -> tuple[int, Any]:
    # The real server would answer typed clients in protobuf; what it says is the same in JSON.
    status, answer = await server.send(method, path, body, content_type=protobuf.MEDIA_TYPE, Accept="application/json")
    text = re.sub(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>", json.dumps(scrubbed(answer)))
    text = re.sub(r"https://kubernetes\.default\.svc(\.cluster\.local)?", "<issuer>", text)
    return status, json.loads(text)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    """Of its own, for its fixed names; without controllers, which would change what was written."""
    with running_cluster("--no-workloads") as found:
        yield found


async def test_answers_to_protobuf_are_the_real_servers(cluster: EmbeddedCluster) -> None:
    recorded = json.loads(RECORDED.read_text())
    async with Server(cluster.kubeconfig) as server:
        said = await answers_of(server, recorded["requests"])
    wrong = {
        title: (answer, recorded["answers"][title])
        for title, answer in said.items()
        if answer != recorded["answers"][title] and title not in KNOWN_DIFFERENCES
    }
    assert wrong == {}


@pytest.fixture
def protosamples(tmp_path: Path) -> Path:
    """The Go program, built with the pinned modules."""
    program = tmp_path / "protosamples"
    go = find_go((TOOL / "go.mod").read_text().partition("\ngo ")[2].partition("\n")[0])
    command = [str(go.path), "build", "-o", str(program), "./protosamples"]
    subprocess.run(command, cwd=TOOL, env=build_environment(os.environ), check=True, timeout=900)
    return program


def _said_by(program: Path, command: str, text: str = "") -> bytes:
    return subprocess.run([program, command], input=text.encode(), capture_output=True, check=True).stdout


@pytest.mark.real
async def test_the_record_is_what_go_sends_and_the_real_server_says(
    bare_control_plane: ControlPlane, protosamples: Path
) -> None:
    written = await asyncio.to_thread(_said_by, protosamples, "samples")
    async with Server(bare_control_plane.kubeconfig) as server:
        sent = await requests(server)
        lines = "".join(json.dumps(each["object"]) + "\n" for each in sent)
        encoded = (await asyncio.to_thread(_said_by, protosamples, "encode", lines)).decode()
        for each, line in zip(sent, encoded.splitlines(), strict=True):
            each["body"] = json.loads(line)["protobuf"]
            del each["object"]
        if os.environ.get("UPDATE_GOLDEN"):
            SAMPLES.write_bytes(gzip.compress(written, 9, mtime=0))
        found = {"requests": sent, "answers": await answers_of(server, sent)}
    if os.environ.get("UPDATE_GOLDEN"):
        RECORDED.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert gzip.decompress(SAMPLES.read_bytes()) == written
    assert json.loads(RECORDED.read_text()) == found
