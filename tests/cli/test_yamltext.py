"""YAML that every reader understands alike: what we write, the Go reader (YAML 1.1 and 1.2 mixed) reads as we meant it."""

from __future__ import annotations

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trueup.cli.yamltext import dump, dump_all
from trueup.render.engine.build import engine_binary
from trueup.render.engine.pool import EnginePool
from trueup.render.requests import request_parsed

TRICKY = [
    *("y", "n", "Y", "N", "yes", "no", "on", "off", "true", "null", "~", "", " ", "=", "<<"),
    *(
        "22:22",
        "1:2",
        "0o14",
        "014",
        "0x1F",
        "0b11",
        "1e3",
        "1234e56",
        "+1",
        "-1",
        ".5",
        "5.",
        "1_000",
        ".inf",
        "-.INF",
    ),
    *(".nan", "2026-11-23", "2026-11-23T10:00:00Z", "- a", "a: b", "#", "a #b", "@a", "`a", "%a", "!a", "&a", "*a"),
    *("line\n", "line\nline", "\nline", "line\n\n", " line\n  more\n", "tab\there", "trailing \nspace", "crlf\r\nline"),
    *("\u2028", "\ufeffbom", "เว็บ", "🎉", "\x07", '"quoted"', "'single'", "\\n", "{a: b}", "[a]", "|", ">", "?", "? a"),
    *("{{ .Values.x }}", "${VAR}", "1.2.3", "v1", "0", "1", "0777", "1e-3", "infinity", "NaN", "Null", "NULL", "None"),
]
texts = st.one_of(
    st.sampled_from(TRICKY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.from_regex(r"[-+.0-9eExXoO_:yYnN]{1,8}", fullmatch=True),
)
scalars = st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans(), st.none(), st.floats(-1e6, 1e6))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize("text", TRICKY)
def test_a_text_stays_a_text_for_pyyaml(text: str) -> None:
    assert yaml.safe_load(dump({"value": text})) == {"value": text}


async def test_the_engines_reader_reads_what_we_write() -> None:
    written: list[dict[str, object]] = []

    @given(values)
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    def collect(value: object) -> None:
        written.append({"value": value})

    collect()
    written.extend({"value": text, "key": {text: 1}} for text in TRICKY)
    documents = [dump(value) for value in written]
    async with EnginePool(workers=1, binary=engine_binary("kustomize")) as pool:
        answers = await pool.use(lambda engine: request_parsed(engine, documents))
    for value, document, answer in zip(written, documents, answers, strict=True):
        assert answer.error is None, f"{document!r}: {answer.error}"
        assert msgspec.json.decode(answer.object) == value, document


def test_a_stream_has_a_mark_between_its_documents() -> None:
    assert dump_all([{"a": 1}, {"b": "x\ny\n"}]) == "a: 1\n---\nb: |\n  x\n  y\n"
