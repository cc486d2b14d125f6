"""Go templates with Sprig and Argo CD's functions: texts, errors with their place, and bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from trueup.model.errors import EngineFailed, InvalidInput
from trueup.render.engine.build import GOTEMPLATE
from trueup.render.engine.pool import EngineLimits, EnginePool
from trueup.render.templates import Filled, Functions, Judged, Template, checked, fill, judge

VALUES = {
    "name": "Shop Éast/1",
    "path": {"basename": "web", "segments": ["apps", "web"]},
    "count": 3,
    "labels": {"b": "2", "a": "1"},
    "yaml": "a: [1, 2]",
}


@pytest.fixture
async def engines() -> AsyncIterator[EnginePool]:
    async with EnginePool(workers=1, engine=GOTEMPLATE, limits=EngineLimits(memory=256 << 20)) as pool:
        yield pool


async def filled(
    engines: EnginePool,
    text: str,
    values: Mapping[str, Any] = VALUES,
    functions: Functions = Functions.APPLICATION_SET,
    options: tuple[str, ...] = (),
) -> Filled:
    ((found,),) = await fill(engines, [Template("t", text)], [values], functions=functions, options=options)
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{.name}}", "Shop Éast/1"),
        ("{{ .path.basename | upper }}-{{ index .path.segments 0 }}", "WEB-apps"),
        ("{{ .count }} {{ add .count 2 }}", "3 5"),
        ("{{ .missing }}", "<no value>"),
        ("{{ .missing | default `none` }}", "none"),
        ("{{ normalize .name }}", "shop--ast-1"),
        ("{{ normalize (repeat 300 `a`) | len }}", "253"),
        ("{{ normalize `-.x.-` }}", "x"),
        ("{{ slugify .name }}", "shop-ast-1"),
        ("{{ slugify 6 .name }}", "shop"),
        ("{{ slugify 9 true `one two three` }}", "one-two"),
        ("{{ slugify 9 false `one two three` }}", "one-two-t"),
        ("{{ toYaml .labels }}", 'a: "1"\nb: "2"'),
        ("{{ (fromYaml .yaml).a | last }}", "2"),
        ("{{ fromYamlArray `[x, z]` | join `+` }}", "x+z"),
        ("{{ tpl `{{ .count }}{{ .none }}` . }}", "3"),
        ("{{- range $k, $v := .labels }}{{ $k }}={{ $v }};{{ end }}", "a=1;b=2;"),
        ('{{ dict "a" 1 | toJson }}', '{"a":1}'),
        ("plain text, {braces}", "plain text, {braces}"),
    ],
)
async def test_a_template_is_filled_in(engines: EnginePool, text: str, said: str) -> None:
    assert await filled(engines, text) == Filled(said)


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("one\n{{ .a.b }}\n{{ end }}", "unexpected {{end}}", (3, 0)),
        ("{{ nothing }}", 'function "nothing" not defined', (1, 0)),
        ("ab {{ .path.basename.more }}", "can't evaluate field more in type", (1, 11)),
        ("{{ slugify `x` 3 }}", "slugify: the name must be a text, got 3", (1, 3)),
        ("{{ fromYaml `[` }}", "error converting YAML", (1, 3)),
        ("{{ fail `not so` }}", "not so", (1, 3)),
    ],
)
async def test_an_error_says_what_and_where(engines: EnginePool, text: str, said: str, place: tuple[int, int]) -> None:
    found = await filled(engines, text)
    assert said in found.error
    assert (found.line, found.column) == place
    assert not found.text


async def test_missing_keys_are_errors_when_asked_for(engines: EnginePool) -> None:
    found = await filled(engines, "x {{ .missing }}", options=("missingkey=error",))
    assert found.error == 'executing "t" at <.missing>: map has no entry for key "missing"'
    assert "unrecognized option" in (await filled(engines, "x", options=("missingkey=odd",))).error


async def test_templates_and_values_make_rows_and_a_broken_one_hinders_no_other(engines: EnginePool) -> None:
    templates = [Template("a", "{{.n}}"), Template("b", "{{"), Template("c", "{{ .n.x }}")]
    rows = await fill(engines, templates, [{"n": 1}, {"n": {"x": "y"}}])
    assert [[bool(each.error) for each in row] for row in rows] == [[False, True, True], [False, True, False]]
    assert (rows[0][0].text, rows[1][2].text) == ("1", "y")


@pytest.mark.parametrize("call", ['env "HOME"', 'expandenv "$HOME"', 'getHostByName "localhost"'])
async def test_nothing_of_this_machine_and_no_network_is_within_reach(engines: EnginePool, call: str) -> None:
    assert "not defined" in (await filled(engines, f"{{{{ {call} }}}}", functions=Functions.SPRIG)).error


async def test_each_set_of_functions_is_its_own(engines: EnginePool) -> None:
    assert "not defined" in (await filled(engines, "{{ upper `x` }}", functions=Functions.NONE)).error
    assert "not defined" in (await filled(engines, "{{ normalize `x` }}", functions=Functions.SPRIG)).error
    assert (await filled(engines, "{{ upper `x` }}", functions=Functions.SPRIG)).text == "X"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}', "exceeded maximum template depth"),
        ("{{ tpl .t . }}", "more than 100 in one another"),
        (f"{{{{ {'(' * 20_000}1{')' * 20_000} }}}}", "max expression depth"),
    ],
)
async def test_endless_recursion_and_deep_nesting_are_errors_of_that_template(
    engines: EnginePool, text: str, said: str
) -> None:
    assert said in (await filled(engines, text, {"t": "{{ tpl .t . }}"})).error
    assert (await filled(engines, "{{.n}}", {"n": 1})).text == "1"


async def test_texts_that_are_too_large_together_are_refused(engines: EnginePool) -> None:
    text = "{{ range until 1000000 }}0123456789{{ end }}"
    with pytest.raises(InvalidInput, match="t: the texts have more than 1000000 bytes together"):
        await fill(engines, [Template("t", text)], [{}], max_bytes=1_000_000)


async def test_memory_is_bounded_and_the_pool_goes_on(engines: EnginePool) -> None:
    with pytest.raises(EngineFailed, match="more than 256 MiB of memory"):
        await filled(engines, "{{ range until 1000 }}{{ $x := repeat 1000000000 `0123456789` }}{{ end }}")
    assert (await filled(engines, "{{.n}}", {"n": 1})).text == "1"


async def test_time_is_bounded_and_the_pool_goes_on(engines: EnginePool) -> None:
    endless = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
    with pytest.raises(EngineFailed, match=r"longer than 0\.5 s"):
        await fill(engines, [Template("t", endless)], [{}], seconds=0.5)
    assert (await filled(engines, "{{.n}}", {"n": 1})).text == "1"


LIVE = {"app": {"spec": {"project": "shop"}, "labels": {"team": "a"}}, "replicas": 1_000_000, "share": 0.5}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('app.spec.project == "shop"', Judged(holds=True)),
        ('app.spec.project != "shop"', Judged()),
        ("replicas > 999_999 && share < 1", Judged(holds=True)),
        ('app.labels.team in ["a", "b"] and app.labels.other == nil', Judged(holds=True)),
        ('any(["web-1"], # startsWith "web")', Judged(holds=True)),
        ("nothing?.there == nil", Judged(holds=True)),
        ("app.labels.team", Judged(error="gives string, neither true nor false")),
    ],
)
async def test_a_condition_holds_or_not(engines: EnginePool, condition: str, said: Judged) -> None:
    assert await judge(engines, [condition], [LIVE]) == [[said]]


async def test_a_wrong_condition_says_where_and_hinders_no_other(engines: EnginePool) -> None:
    ((compiled, ran, sound),) = await judge(engines, ["1 +\n+ )", "nothing.there.is", "true"], [LIVE])
    assert (compiled.holds, compiled.line, "unexpected token" in compiled.error) == (False, 2, True)
    assert "cannot fetch there from" in ran.error
    assert sound == Judged(holds=True)


async def test_a_condition_may_not_use_up_memory_nor_go_on(engines: EnginePool) -> None:
    ((many,),) = await judge(engines, ["len(map(1..9999999, {#})) > 0"], [{}])
    assert "memory budget exceeded" in many.error


async def test_whole_numbers_stay_whole_where_that_is_asked_for(engines: EnginePool) -> None:
    templates = [Template("t", "{{ .replicas }} {{ .share }}")]
    assert await fill(engines, templates, [LIVE], whole=True) == [[Filled("1000000 0.5")]]
    assert await fill(engines, templates, [LIVE]) == [[Filled("1e+06 0.5")]]


async def test_templates_and_conditions_are_checked_without_values(engines: EnginePool) -> None:
    found = await checked(
        engines, [Template("a", "{{ .x | upper }}"), Template("b", "x\n{{ none }}")], ["a.b == 1", "=="]
    )
    assert [(one.error, one.line) for one in found.templates] == [("", 0), ('function "none" not defined', 2)]
    assert [bool(one.error) for one in found.expressions] == [False, True]
