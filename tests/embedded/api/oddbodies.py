"""Bodies that are read by few people's rules: YAML with aliases and several documents, texts that are no UTF-8, halves of
surrogate pairs, numbers that fit no int64, content types with parameters. Each is sent as a request that changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Struct

NAMESPACE = "bodies"
JSON, YAML = "application/json", "application/yaml"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
OPERATIONS, APPLY = "application/json-patch+json", "application/apply-patch+yaml"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
WIDGETS = f"/apis/bodies.example.com/v1/namespaces/{NAMESPACE}/widgets"
_DRY = "?dryRun=All"
_BY_US = f"{_DRY}&fieldManager=us&force=true"

_FIELDS = {
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "whole": {"type": "integer"},
    "number": {"type": "number"},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}
DEFINITION = {
    "metadata": {"name": "widgets.bodies.example.com"},
    "spec": {
        "group": "bodies.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "properties": _FIELDS}},
                    }
                },
            }
        ],
    },
}


def deployment(name: str, replicas: str) -> str:
    container = '{"name":"c","image":"i"}'
    template = f'{{"metadata":{{"labels":{{"a":"b"}}}},"spec":{{"containers":[{container}]}}}}'
    spec = f'{{"replicas":{replicas},"selector":{{"matchLabels":{{"a":"b"}}}},"template":{template}}}'
    return f'{{"metadata":{{"name":"{name}"}},"spec":{spec}}}'


def widget(name: str, spec: str) -> str:
    head = '{"apiVersion":"bodies.example.com/v1","kind":"Widget"'
    return f'{head},"metadata":{{"name":"{name}"}},"spec":{spec}}}'


SEEDS = (
    (MAPS, {"metadata": {"name": "seed"}}),
    (DEPLOYMENTS, json.loads(deployment("seed", "1"))),
    (WIDGETS, json.loads(widget("seed", "{}"))),
)
"""What patches and replacements are sent to."""


class Request(Struct, frozen=True):
    method: str
    path: str
    body: bytes
    content_type: str

    def __str__(self) -> str:
        place = self.path.partition(f"{NAMESPACE}/")[2].replace(_DRY, "")
        return f"{self.method} {place} {self.content_type}: {self.body.decode(errors='backslashreplace')[:300]}"


def requests() -> Iterator[Request]:
    """All of them, each once."""
    seen = set()
    for each in (*_yaml(), *_texts(), *_numbers(), *_content_types(), *_shapes(), *_delete_options()):
        if str(each) not in seen:
            seen.add(str(each))
            yield each


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


_NAME = "metadata: {name: a}\n"
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(12)
)
_DATA = (
    *(
        '{x: &v "1", z: *v}',
        '{<<: {x: "1"}, z: "2"}',
        "{x: *none}",
        "{x: !!binary aGk=}",
        "{x: !!binary '*'}",
        "{x: !foo bar}",
    ),
    *(
        '{x: !!int "1"}',
        "{x: !!int a}",
        "{x: !!str 1}",
        "{x: !!float 1}",
        "{1: b}",
        "{true: b}",
        "{y: b}",
        "{1.5: b}",
        "{null: b}",
    ),
    *(
        "{[a]: b}",
        "{? {a: b} : b}",
        "{x: 2020-01-01}",
        "{x: yes}",
        "{x: 0x1F}",
        "{x: 1_000}",
        "{x: 012}",
        "{x: 0o12}",
        "{x: 089}",
    ),
    *(
        "{x: .inf}",
        "{x: .nan}",
        "{x: 1:30}",
        "{x: ~}",
        "{x}",
        "{x: 0b11}",
        "{x: 1e3}",
        "{x: 1e400}",
        "{x: .5}",
        "{x: =}",
        "{=: x}",
    ),
    *(
        "{x: 123456789012345678901234567890}",
        "{x: 9223372036854775808}",
        '{x: "\\ud800"}',
        '{x: "\\u263a\\U0001F600\\x41"}',
    ),
    *(
        '{x: "a\x01b"}',
        '{"": x}',
        '{x: "\\q"}',
        "{<<: [{x: a}, {x: b}]}",
        "{<<: a}",
        "- x",
        '{x: "1"\n  }',
        "{x: a, x: b}",
    ),
)
_DOCUMENTS = (
    *("metadata: &m {name: a, labels: &l {a: b}, annotations: *l}\n", "metadata: &a {name: a, labels: *a}\n", _BOMB),
    *(
        f"{_NAME}---\nmetadata: {{name: b}}\n",
        f"---\n{_NAME}---\n",
        "---\n---\nmetadata: {name: b}\n",
        f"{_NAME}---\na: [\n",
    ),
    *(
        f"{_NAME}...\nmetadata: {{name: b}}\n",
        "# nothing\n",
        "---\n",
        "...\n",
        f"%YAML 1.2\n---\n{_NAME}",
        f"%YAML 1.1\n---\n{_NAME}",
    ),
    *(
        f"{_NAME}immutable: on\n",
        f"{_NAME}immutable: Y\n",
        f"{_NAME}data: {{x: a}}\ndata: {{x: b}}\n",
        "a\n",
        "12\n",
        "null\n",
        "- a\n",
    ),
    *(
        "{metadata: {name: a}} x",
        '{"metadata":{"name":"a"},}',
        "metadata: {name: a\n",
        'metadata: "a\n',
        "metadata: @a\n",
        "a: b: c\n",
    ),
    *(
        f"{_NAME} data: x\n",
        "  metadata: {name: a}\ndata: {}\n",
        "metadata:\n\tname: a\n",
        "kind: [a]\n",
        "!!set {metadata}\n",
    ),
    *(
        "metadata: !!foo {name: a}\n",
        f"{_NAME}binaryData: {{x: !!binary aGk=}}\n",
        "metadata: {name: a, name: b}\n",
        "? metadata\n: {name: a}\n",
    ),
    *(
        b'metadata: {name: a}\ndata: {x: "\xff"}\n',
        b"metadata: {name: \xc3}\n",
        b"\xed\xa0\x80: x\n",
        b"metadata: {name: a}\n# \xff\n",
    ),
    *(
        b'metadata: {name: a}\ndata: {x: "\x00"}\n',
        "metadata: {name: a}\ndata: {x: \xe9}\n".encode("utf-16"),
        b"\xff\xfem\x00",
    ),
)


def _yaml() -> Iterator[Request]:
    for document in (*(f"{_NAME}data: {data}\n" for data in _DATA), *_DOCUMENTS):
        raw = _bytes(document)
        yield Request("POST", f"{MAPS}{_DRY}", raw, YAML)
        if raw[:1] not in b'%-[{"!':
            yield Request("PATCH", f"{MAPS}/a{_BY_US}", b"apiVersion: v1\nkind: ConfigMap\n" + raw, APPLY)
    for level in ("Strict", "Warn", "Ignore"):
        for document in (
            "metadata: {name: a, name: b}\n",
            f"{_NAME}a: 1\na:\n  2\n",
            f'{_NAME}data: {{<<: {{x: "1"}}, x: "2"}}\n',
        ):
            yield Request("POST", f"{MAPS}{_DRY}&fieldValidation={level}", document.encode(), YAML)
            raw = b"apiVersion: v1\nkind: ConfigMap\n" + document.encode()
            yield Request("PATCH", f"{MAPS}/a{_BY_US}&fieldValidation={level}", raw, APPLY)


def _texts() -> Iterator[Request]:
    values = (
        b"\xff",
        b"a\xc3b\xe2\x82",
        b"\xed\xa0\x80",
        rb"\ud800",
        rb"\udc00\ud800",
        rb"\ud83d\ude00",
        rb"\ud83dx",
        rb"\ud83d\u0041",
    )
    for value in values:
        raw = b'{"metadata":{"name":"seed"},"data":{"x":"' + value + b'"}}'
        yield Request("POST", f"{MAPS}{_DRY}", raw.replace(b"seed", b"a"), JSON)
        yield Request("PUT", f"{MAPS}/seed{_DRY}", raw, JSON)
        for type_ in (MERGE, STRATEGIC):
            yield Request("PATCH", f"{MAPS}/seed{_DRY}", raw, type_)
        spec = b'{"any":"' + value + b'"}'
        made = _bytes(widget("seed", "@")).replace(b"@", spec)
        yield Request("POST", f"{WIDGETS}{_DRY}", made, YAML)
        yield Request("PATCH", f"{WIDGETS}/seed{_BY_US}", made, APPLY)
        yield Request("PATCH", f"{WIDGETS}/seed{_DRY}", b'{"spec":' + spec + b"}", MERGE)
    for raw in (
        *(
            b'{"metadata":{"name":"a"},"data":{"\xff":"x"}}',
            b'{"metadata":{"name":"a\xff"}}',
            b'{"met\xffadata":{"name":"a"}}',
            b"\xff",
        ),
        *(
            b'{"a":\xff}',
            b'{"metadata":{"name":"a"}}\xff',
            b'{"kind":"\xff"}',
            b'{"apiVersion":"\xff"}',
            b'{"metadata":{"name":"a"},"data":{"x":null}}',
        ),
        *(
            b'{"metadata":{"name":"a","labels":{"x":"\xff"}}}',
            b'{"metadata":{"name":"a","labels":{"x":null}}}',
            b'{"metadata":{"name":"a"},"data":{"x":"\\u0000"}}',
        ),
    ):
        yield Request("POST", f"{MAPS}{_DRY}", raw, JSON)


_ODD_NUMBERS = (
    *("2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "99999999999999999999999", "1e3", "1.0", "1.5", "-0", "1E2", "1e30", "1e400"),
)


def _numbers() -> Iterator[Request]:
    for number in _ODD_NUMBERS:
        yield Request("POST", f"{DEPLOYMENTS}{_DRY}", deployment("d", number).encode(), JSON)
        seed = f"{DEPLOYMENTS}/seed{_DRY}"
        for type_ in (MERGE, STRATEGIC):
            yield Request("PATCH", seed, f'{{"spec":{{"replicas":{number}}}}}'.encode(), type_)
        applied = f'{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"seed"}},"spec":{{"replicas":{number}}}}}'
        yield Request("PATCH", f"{DEPLOYMENTS}/seed{_BY_US}", applied.encode(), APPLY)
        operation = f'[{{"op":"replace","path":"/spec/replicas","value":{number}}}]'
        yield Request("PATCH", seed, operation.encode(), OPERATIONS)
        for field in _FIELDS:
            spec = f'{{"{field}":{number}}}'
            yield Request("POST", f"{WIDGETS}{_DRY}", widget("w", spec).encode(), JSON)
            yield Request("POST", f"{WIDGETS}{_DRY}", widget("w", spec).encode(), YAML)
            yield Request("PATCH", f"{WIDGETS}/seed{_DRY}", f'{{"spec":{spec}}}'.encode(), MERGE)
            yield Request("PATCH", f"{WIDGETS}/seed{_BY_US}", widget("seed", spec).encode(), APPLY)
        for body in (
            f'{{"metadata":{{"name":"seed"}},"data":{{"x":{number}}}}}',
            f'{{"metadata":{{"name":"seed"}},"unknown":{number}}}',
        ):
            yield Request("PUT", f"{MAPS}/seed{_DRY}", body.encode(), JSON)
            yield Request("PATCH", f"{MAPS}/seed{_DRY}", body.encode(), STRATEGIC)


_TYPES = (
    *(
        "{}; charset=utf-8",
        "{};",
        "{};;",
        "{}; a",
        "{}; a=",
        "{}; a=b; a=c",
        "{}; a=b; a=b",
        "{}; =x",
        '{};q="a',
        '{}; charset="utf-8"',
        "{} ; x=y",
    ),
    *("{}/x", "{}, application/yaml", "x{}"),
)


def _content_types() -> Iterator[Request]:
    for form in _TYPES:
        content_type = form.format(JSON)
        yield Request("POST", f"{MAPS}{_DRY}", b'{"metadata":{"name":"a"}}', content_type)
        yield Request("POST", f"{WIDGETS}{_DRY}", widget("w", "{}").encode(), content_type)
        yield Request("DELETE", f"{MAPS}/none{_DRY}", b"{}", content_type)
        for type_ in (MERGE, APPLY):
            yield Request("PATCH", f"{MAPS}/seed{_DRY}", b"{}", form.format(type_))
            yield Request("PATCH", f"{WIDGETS}/none{_DRY}", b"{}", form.format(type_))
    for content_type in (
        "APPLICATION/JSON",
        "application",
        "/json",
        "text/yaml",
        "application/cbor",
        "*/*",
        "application/json+x",
    ):
        yield Request("POST", f"{MAPS}{_DRY}", b'{"metadata":{"name":"a"}}', content_type)
        yield Request("PATCH", f"{MAPS}/seed{_DRY}", b"{}", content_type)
    for content_type in ("application/vnd.kubernetes.protobuf", "application/apply-patch+cbor", JSON, YAML):
        for path in (f"{MAPS}/seed", f"{MAPS}/none", f"{WIDGETS}/seed", f"{WIDGETS}/none", f"{DEPLOYMENTS}/seed/scale"):
            for body in (b"{}", b'k8s\x00\n\x0f\n\x02v1\x12\tConfigMap\x12\x06\n\x04seed\x1a\x00"\x00'):
                yield Request("PATCH", f"{path}{_BY_US}", body, content_type)


def _shapes() -> Iterator[Request]:
    """Bodies of the wrong shape, and of the wrong name, for objects that are there and that are not."""
    for collection in (MAPS, WIDGETS):
        for name in ("seed", "none"):
            for type_ in (MERGE, STRATEGIC, OPERATIONS, APPLY):
                for body in (
                    "{",
                    "[",
                    "{}",
                    "[]",
                    "1",
                    '[{"op":"x"}]',
                    '{"metadata":{"name":"other"}}',
                    '{"metadata":null}',
                ):
                    yield Request("PATCH", f"{collection}/{name}{_DRY}&fieldManager=us", body.encode(), type_)
            head = '"apiVersion":"bodies.example.com/v1","kind":"Widget",' if collection == WIDGETS else ""
            for rest in (
                '"metadata":{}',
                '"metadata":{"name":""}',
                '"metadata":null',
                '"metadata":[]',
                '"metadata":{"name":"other"},"spec":1',
            ):
                yield Request("PUT", f"{collection}/{name}{_DRY}", f"{{{head}{rest}}}".encode(), JSON)


def _delete_options() -> Iterator[Request]:
    for body in (
        *(
            " ",
            "null",
            "[]",
            "{",
            '{"a":1}',
            '{"kind":"ConfigMap","apiVersion":"v1"}',
            '{"gracePeriodSeconds":9223372036854775808}',
        ),
        *(
            '{"gracePeriodSeconds":1.5}',
            '{"propagationPolicy":1}',
            '{"propagationPolicy":"x"}',
            '{"dryRun":"All"}',
            '{"preconditions":{"uid":1}}',
        ),
        *('{"orphanDependents":true,"propagationPolicy":"Orphan"}', "a: b", '{"dryRun":["All"],"dryRun":["All"]}'),
    ):
        for type_ in (JSON, YAML):
            yield Request("DELETE", f"{MAPS}/none{_DRY}", body.encode(), type_)
