"""Every operation, with what its document allows and with what it does not, against the server as users run it.

The inputs are drawn from the OpenAPI document (https://schemathesis.readthedocs.io), always the same ones;
`TRUEUP_FUZZ_EXAMPLES=500` draws so many for each operation, others in each run.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from msgspec import Struct, structs
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.stack import Stack, until
from tests.proof import seeds
from tests.proof.door import BASE, TIMEOUT, Door
from tests.server.test_matrix import the_table
from trueup.server.api.openapi import document
from trueup.server.api.operation import Operation, Surface

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.xdist_group("proof")]

EXAMPLES = int(os.environ.get("TRUEUP_FUZZ_EXAMPLES", "0"))
INSIDES = re.compile(
    r"Traceback|File \"/|\.py\b|/site-packages/|0x[0-9a-f]{8,}|<class |object at |sqlite3?\.|sqlalchemy"
)
"""What would tell of the server's insides."""
ORDER = ("get", "post", "put", "patch", "delete")


class Target(Struct, frozen=True):
    """What is fuzzed, and what is known of it."""

    door: Door
    url: str
    record: str


@pytest.fixture(scope="module")
def target(fortress: Stack, door: Door) -> Target:
    url = fortress.get("gitrepository", "repo", seeds.NAMESPACE)["spec"]["url"]  # type: ignore[index]
    seeds.restore(fortress, url)
    until(lambda: door.ask("GET", f"/accounts/{seeds.USER}")[0] == 200, what="the settings are read")
    door.renew()
    _, history = door.ask("GET", f"/apps/Kustomization/{seeds.NAMESPACE}/app/history")
    return Target(door, url, str(history["items"][0]["id"]))


@pytest.fixture(scope="module")
def documented(door: Door) -> dict[str, Any]:
    """What the server itself gives out."""
    status, body = door.ask("GET", "/openapi.json")
    assert status == 200
    return dict(body)


async def the_operations() -> list[Operation]:
    async for operations in the_table():
        return operations
    raise AssertionError("there is no table")


def cases(target: Target, operation: APIOperation[Any, Any, Any], mode: GenerationMode) -> st.SearchStrategy[Case]:
    """Those of the document; two of three are led to what exists, with bodies that nearly fit."""
    known = seeds.parts(operation.path, target.record, target.url)
    body = seeds.bodies(operation.method.upper(), operation.path, target.url)

    @st.composite
    def led(draw: Any) -> Case:
        case: Case = draw(operation.as_strategy(generation_mode=mode))
        if draw(st.integers(0, 2)):
            for name in set(case.path_parameters) & set(known):
                case.path_parameters[name] = known[name]
            if isinstance(case.query, dict) and draw(st.booleans()):
                needed = {one.name for one in operation.query if one.is_required}
                case.query = {name: value for name, value in case.query.items() if name in needed}
            if isinstance(case.query, dict) and "name" in {one.name for one in operation.query}:
                case.query |= draw(st.sampled_from(seeds.OBJECTS)) | {"namespace": seeds.NAMESPACE}
            if body is not None:
                case.body = draw(seeds.spoilt(body))
        return case

    return led()


def send(door: Door, case: Case, *, streams: bool) -> Response:
    """Of a stream only the beginning is read."""
    ours = {"Authorization": f"Bearer {door.token}"}
    sent = case.as_transport_kwargs(base_url=door.url, headers=ours)
    sent["headers"] = {name: value for name, value in sent["headers"].items() if name.lower() != "cookie"}
    sent.pop("cookies", None)
    for value in map(str, case.path_parameters.values()):
        if (
            "://" in value
        ):  # a URL is one part of a path, as Argo CD's clients send it; the library would make several of it
            sent["url"] = sent["url"].replace(f"/{value.replace('//', '/')}", f"/{quote(value, safe='')}")
    answer = requests.request(**sent, timeout=TIMEOUT, stream=streams, allow_redirects=False)
    if streams and answer.status_code == 200:
        answer._content = b""
        answer.close()
    return Response.from_requests(answer, verify=False)


def judge(case: Case, response: Response, *, strict: bool) -> Iterator[str]:
    text = response.content.decode(errors="replace")
    if response.status_code >= 500:
        yield f"{response.status_code}: {text[:500]}"
    if response.status_code >= 400 and INSIDES.search(text):
        yield f"tells of its insides: {text[:500]}"
    checks: list[Any] = [content_type_conformance, status_code_conformance]
    if strict:
        checks.append(negative_data_rejection)
    if not (isinstance(case.query, dict) and case.query.get("fields")):  # who selects fields has left out the others
        checks.append(response_schema_conformance)
    try:
        case.validate_response(response, checks=checks)
    except (Failure, FailureGroup) as error:
        yield str(error)[:700]


def tried(
    target: Target, operation: APIOperation[Any, Any, Any], mode: GenerationMode, examples: int, seen: Counter[int]
) -> list[str]:
    """What is wrong with one operation, each thing once with how to have it again."""
    wrong: dict[str, str] = {}
    streams = "text/event-stream" in str(operation.definition.raw.get("responses", {})) or "stream" in operation.path
    body = seeds.bodies(operation.method.upper(), operation.path, target.url)
    streams = streams or operation.path.endswith("logs")

    @settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(target, operation, mode))
    def run(case: Case) -> None:
        response = send(target.door, case, streams=streams)
        # A body that was led may fit after all; Argo CD passes over what it does not know.
        strict = mode is GenerationMode.NEGATIVE and body is None and operation.path.startswith(BASE)
        seen[response.status_code] += 1
        if response.status_code == 401:
            target.door.renew()  # it was a call that ends sessions
        for text in judge(case, response, strict=strict):
            curl = re.sub(r"Bearer \S+", "Bearer ...", case.as_curl_command())
            wrong.setdefault(text[:60], f"{text}\n    {curl[:600]}")

    try:
        run()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "nothing fits what the document allows"
    return [f"{operation.label} ({mode.value}): {text}" for text in wrong.values()]


def fuzzed(target: Target, described: dict[str, Any], examples: int) -> list[str]:
    """What is wrong with any of them. Reads first, deletes last; what is gone then is put back."""
    found = [result.ok() for result in schemathesis.openapi.from_dict(described).get_all_operations()]
    wrong: list[str] = []
    seen: dict[str, Counter[int]] = {}
    for operation in sorted(found, key=lambda one: ORDER.index(one.method)):
        if operation.method != "get" and not seeds.is_whole(target.door.stack):
            seeds.restore(target.door.stack, target.url)
        for mode in GenerationMode:
            wrong += tried(target, operation, mode, examples, seen.setdefault(operation.label, Counter()))
    assert target.door.is_up()
    met = [label for label, statuses in seen.items() if any(status < 300 for status in statuses)]
    assert len(met) > len(seen) / 2, f"most calls never got past a refusal; these did: {met}"
    return wrong


def test_every_operation_answers_as_its_document_says(target: Target, documented: dict[str, Any]) -> None:
    wrong = fuzzed(target, documented, 4)
    assert not wrong, "\n".join(wrong)


async def test_argo_cds_paths_never_fail_either(target: Target) -> None:
    """From the parameters and bodies that our own table reads; the shapes of answers are Argo CD's, which other tests hold."""
    argo = [
        structs.replace(one, surface=Surface.TRUEUP, answer=None)
        for one in await the_operations()
        if one.surface is Surface.ARGOCD and one.id != "argo.webhook"  # which takes bytes, not JSON
    ]
    described = document(argo)
    for path in described["paths"].values():
        for operation in path.values():
            operation["responses"] = {"default": {"description": "as Argo CD answers"}}
    wrong = fuzzed(target, described, 3)
    assert not wrong, "\n".join(wrong)


def test_a_parameter_that_is_in_no_document_is_refused(target: Target, documented: dict[str, Any]) -> None:
    target.door.renew()
    missed = []
    for path, methods in documented["paths"].items():
        known = seeds.parts(path, target.record, target.url)
        place = re.sub(r"\{(\w+)\}", lambda found, known=known: known.get(found.group(1), "none"), path)  # type: ignore[misc]
        for method, operation in methods.items():
            needed = {one["name"]: "x" for one in operation["parameters"] if one["in"] == "query" and one["required"]}
            answer = requests.request(
                method,
                target.door.url + place,
                params={**needed, "undeclared": "1"},
                headers={"Authorization": f"Bearer {target.door.token}"},
                timeout=TIMEOUT,
            )
            if (answer.status_code, answer.json().get("field")) != (400, "undeclared"):
                missed.append((method, path, answer.status_code, answer.text[:200]))
    assert len(documented["paths"]) > 40
    assert not missed
