"""Policies in Rego: what they decide, what is wrong with them and where, and what no policy can reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trueup.model.errors import EngineFailed
from trueup.render.engine.build import REGO
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.engine.process import Refused

DENY = """\
package shop

import data.allowed

deny contains msg if {
	some container in input.spec.containers
	not startswith(container.image, allowed.registry)
	msg := sprintf("%s: image %s", [container.name, container.image])
}

count_of := count(input.spec.containers)
"""
INPUT = {"spec": {"containers": [{"name": "a", "image": "good/a"}, {"name": "b", "image": "bad/b"}]}}
DATA = {"allowed": {"registry": "good/"}}


@pytest.fixture
async def engines() -> AsyncIterator[EnginePool]:
    async with EnginePool(workers=1, engine=REGO, limits=EngineLimits(memory=256 << 20)) as pool:
        yield pool


async def call(engines: EnginePool, kind: str, seconds: float = 20.0, **params: Any) -> Any:
    raw = await engines.use(lambda process: process.call(kind, params), seconds=seconds)
    return msgspec.json.decode(raw)


def modules(*texts: str) -> list[dict[str, str]]:
    return [{"path": f"policies/{index}.rego", "text": text} for index, text in enumerate(texts)]


async def value_of(engines: EnginePool, expression: str, seconds: float = 20.0, **params: Any) -> Any:
    module = modules(f"package a\n\nx := {expression}\n")
    ((found,),) = (
        await call(engines, "eval", seconds, modules=module, queries=["data.a.x"], inputs=[{}], strict=True, **params)
    )["results"]
    return found


async def test_queries_meet_inputs_and_data(engines: EnginePool) -> None:
    answer = await call(
        engines,
        "eval",
        modules=modules(DENY),
        queries=["data.shop.deny", "data.shop.count_of", "data.shop.nothing"],
        data=DATA,
        inputs=[INPUT, {"spec": {}}],
    )
    denied, counted = {"defined": True, "value": ["b: image bad/b"]}, {"defined": True, "value": 2}
    undefined = {"defined": False}
    assert answer["results"] == [
        [denied, counted, undefined],
        [{"defined": True, "value": []}, undefined, undefined],
    ]


async def test_modules_see_each_other_and_the_older_language_is_read_when_asked_for(engines: EnginePool) -> None:
    old = "package old\n\ndeny[msg] { msg := data.lib.name }\n"
    both = modules(old, 'package lib\n\nname = "n"\n')
    answer = await call(engines, "eval", modules=both, version="v0", queries=["data.old.deny"], inputs=[{}])
    assert answer["results"] == [[{"defined": True, "value": ["n"]}]]
    assert await call(engines, "check", modules=both, version="v0") == {"packages": ["data.old", "data.lib"]}
    with pytest.raises(Refused, match="`if` keyword is required"):
        await call(engines, "check", modules=both)


async def test_large_numbers_stay_whole(engines: EnginePool) -> None:
    answer = await call(
        engines,
        "eval",
        modules=modules("package a\n\nx := input.n"),
        queries=["data.a.x"],
        inputs=[{"n": 9007199254740993}],
    )
    assert answer["results"][0][0]["value"] == 9007199254740993


@pytest.mark.parametrize(
    ("texts", "message", "place"),
    [
        (("package a\n\nx := {",), "rego_parse_error", ("policies/0.rego", 3)),
        (("package a\n\nx := y",), "rego_unsafe_var_error: var y is unsafe", ("policies/0.rego", 3)),
        (("package a\n\nx := nothing(1)",), "undefined function nothing", ("policies/0.rego", 3)),
        (("package a\nx := 1 + \"a\"",), "rego_type_error", ("policies/0.rego", 2)),
        (("package a\nx := data.a.y\ny := data.a.x",), "rego_recursion_error", ("policies/0.rego", 2)),
        (("package a", "package b\n\nx {"), "rego_parse_error", ("policies/1.rego", 3)),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_policy_has_its_place(
    engines: EnginePool, texts: tuple[str, ...], message: str, place: tuple[str, int]
) -> None:
    with pytest.raises(Refused) as refused:
        await call(engines, "check", modules=modules(*texts))
    problem = refused.value.problem
    assert message in problem.message
    assert (problem.path, problem.line) == place
    assert problem.column


async def test_an_error_while_a_query_runs_is_that_querys_alone(engines: EnginePool) -> None:
    text = "package a\n\nx := 1\n\nx := 2 if input.twice\n\ny := 3\n"
    ((broken, sound),) = (
        await call(engines, "eval", modules=modules(text), queries=["data.a.x", "data.a.y"], inputs=[{"twice": True}])
    )["results"]
    assert "produced conflicting values" in broken["error"]["message"]
    assert (broken["error"]["path"], broken["error"]["line"]) == ("policies/0.rego", 5)
    assert sound["value"] == 3
    with pytest.raises(Refused, match=r'query "data\.a\. \+": rego_parse_error'):
        await call(engines, "eval", modules=modules(text), queries=["data.a. +"], inputs=[{}])


@pytest.mark.parametrize(
    "expression",
    [
        'http.send({"method": "get", "url": "http://127.0.0.1:1/"})',
        'net.lookup_ip_addr("localhost")',
        "opa.runtime()",
    ],
)
async def test_no_policy_reaches_a_network_or_this_process(engines: EnginePool, expression: str) -> None:
    with pytest.raises(Refused, match="unsafe built-in function") as refused:
        await value_of(engines, expression)
    assert "policies reach no network" in refused.value.problem.hint
    with pytest.raises(Refused, match="unsafe built-in function"):
        await call(engines, "eval", modules=modules("package a"), queries=[expression], inputs=[{}])


async def test_what_only_computes_with_addresses_is_there(engines: EnginePool) -> None:
    assert (await value_of(engines, 'net.cidr_contains("10.0.0.0/8", "10.1.2.3")'))["value"] is True


@pytest.mark.parametrize("scheme", ["file://{path}", "FILE://{path}", "http://127.0.0.1:1/s.json"])
@pytest.mark.parametrize(
    "form", ['{{"$ref": "{url}"}}', '`{{"$ref": "{url}"}}`', '{{"a": [{{"$id": "{url}", "$ref": "x"}}]}}']
)
async def test_a_schema_reads_nothing_from_elsewhere(
    engines: EnginePool, tmp_path: Path, scheme: str, form: str
) -> None:
    (tmp_path / "s.json").write_text('{"type": "string"}')
    schema = form.format(url=scheme.format(path=tmp_path / "s.json"))
    for function in (f'json.match_schema({{"a": 1}}, {schema})', f"json.verify_schema({schema})"):
        found = await value_of(engines, function)
        assert "its own parts alone" in found["error"]["message"]
    own = '{"properties": {"b": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"type": "string"}}}'
    assert (await value_of(engines, f'json.match_schema({{"b": "x"}}, {own})'))["value"] == [True, []]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "[x | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); x := a * b]",
            "longer than|memory",
        ),
        ('concat("", [x | some a in numbers.range(1, 3000000); x := sprintf("%0512d", [a])])', "longer than|memory"),
        (f"{'[' * 100000}1{']' * 100000}", "nesting|depth|memory|longer"),
    ],
)
async def test_endless_and_huge_policies_end_in_bounded_time_and_memory_and_the_pool_goes_on(
    engines: EnginePool, expression: str, message: str
) -> None:
    with pytest.raises((EngineFailed, Refused), match=message):
        await value_of(engines, expression, seconds=4.0)
    assert (await value_of(engines, "1 + 1"))["value"] == 2


async def test_results_that_are_too_large_are_refused(engines: EnginePool) -> None:
    with pytest.raises(Refused, match="more than 1000 bytes together"):
        await value_of(engines, "numbers.range(1, 1000)", maxBytes=1000)
