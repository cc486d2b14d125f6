"""Writes the descriptors with which the embedded Kubernetes reads protobuf bodies: what each message's fields are.

Run by `python -m tools.protodata.dump` after a new pin in tools/kubernetes. Field numbers and types come from the
`generated.proto` files that k8s.io/api and its siblings publish; the JSON names, and which fields are pointers (so that an
explicit zero means something), from the tags of the Go structs beside them.

    messages.json.gz   {"<package>.<Message>": {"<number>": [json name, type, flags, Go's name if it is another]}}

    written.json       {"<package>.<Message>": {"pointers": [...], "nulls": [...]}}: JSON names of fields, inlined ones too, of
                       scalars that are pointers, and of lists, maps and times that Go writes as null when they are empty

`type` is a scalar's name or another message's full name; of a map, `"<key type>,<value type>"`. Flags: `r` repeated, `m` map,
`p` pointer, `i` inlined into the object around it, `o` left out of JSON when empty (a struct never is), `z` also when zero.
"""

import gzip
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "src" / "trueup" / "embedded" / "api" / "protobuf"
DATA = FOLDER / "messages.json.gz"
WRITTEN = ROOT / "src" / "trueup" / "embedded" / "schema" / "data" / "written.json"
MODULES = ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator")
_SERVED = re.compile(
    r"/(v[12]|scheduling/v1alpha3)/generated\.proto$|/pkg/(runtime|util/intstr|api/resource)/generated\.proto$"
)
_PACKAGE = re.compile(r"^package ([\w.]+);", re.MULTILINE)
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (?:(optional|repeated|required) )?(map<(\w+), ([\w.]+)>|[\w.]+) (\w+) = (\d+);", re.MULTILINE)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"^\s+(?:\w+[ \t]+)?(\*?)[\w.\[\]*]+[ \t]+`.*?protobuf:\"\w+,(\d+),[^\"]*\".*?`", re.MULTILINE)
_JSON = re.compile(r'json:"([^"]*)"')
_TIMES = frozenset({f"k8s.io.apimachinery.pkg.apis.meta.v1.{name}" for name in ("Time", "MicroTime")})
_SCALARS = frozenset({"string", "bool", "int32", "int64", "uint32", "uint64", "bytes", "double", "float"})


def module_folder(module: str) -> Path:
    """Where Go keeps the pinned module."""
    done = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", module],
        cwd=ROOT / "tools" / "kubernetes",
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


def messages(proto: Path) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Every message of one file with its fields."""
    text = proto.read_text(encoding="utf-8")
    package = _PACKAGE.search(text)
    assert package is not None, proto
    tags = _go_tags(proto.parent)
    for name, body in _MESSAGE.findall(text):
        fields = {}
        for label, type_, key, value, field, number in _FIELD.findall(body):
            pointer, (json_name, *options), go_name = tags.get((name, number), (False, [field], ""))
            flags = ("r" if label == "repeated" else "") + ("m" if key else "") + ("p" if pointer else "")
            full = f"{key},{_full(value, package[1])}" if key else _full(type_, package[1])
            flags += ("o" if "omitempty" in options else "") + ("z" if "omitzero" in options else "")
            if not json_name:
                flags += "i"
            fields[number] = [json_name, full, flags]
            if go_name and go_name != json_name[:1].upper() + json_name[1:]:
                fields[number].append(go_name)
        yield f"{package[1]}.{name}", fields


def _full(type_: str, package: str) -> str:
    if type_ in _SCALARS:
        return type_
    return type_.lstrip(".") if "." in type_ else f"{package}.{type_}"


def _go_tags(folder: Path) -> dict[tuple[str, str], tuple[bool, list[str], str]]:
    """(struct, field number) -> whether it is a pointer; its JSON name, empty for an inlined one, and JSON's options; Go's name."""
    found = {}
    for path in sorted(folder.glob("*.go")):
        if path.name.startswith("generated") or path.name.endswith("_test.go"):
            continue
        for name, body in _STRUCT.findall(path.read_text(encoding="utf-8")):
            for line in body.splitlines():
                tag = _TAG.match(line)
                json_tag = _JSON.search(line)
                if tag is not None and json_tag is not None:
                    found[name, tag[2]] = (tag[1] == "*", json_tag[1].split(","), line.split()[0].rpartition(".")[2])
    return found


def pointers(name: str, messages: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    """The scalar fields of a message that its Go struct holds as pointers."""
    for json_name, type_, flags, *_ in messages.get(name, {}).values():
        if "i" in flags:
            yield from pointers(type_, messages)
        elif "p" in flags and type_ in _SCALARS:
            yield json_name


def nulls(name: str, messages: dict[str, dict[str, list[str]]], omitted: set[tuple[str, str]]) -> Iterator[str]:
    """The lists, maps and times of a message that Go writes even when they are empty."""
    for number, (json_name, type_, flags, *_) in messages.get(name, {}).items():
        if "i" in flags:
            yield from nulls(type_, messages, omitted)
        elif ("r" in flags or "m" in flags or (type_ in _TIMES and "p" not in flags)) and (name, number) not in omitted:
            yield json_name


def omitted_fields(proto: Path) -> Iterator[tuple[str, str]]:
    """(message, field number) of what Go leaves out when it is empty; a struct such as a time has to say `omitzero`."""
    package = _PACKAGE.search(proto.read_text(encoding="utf-8"))
    assert package is not None, proto
    for path in sorted(proto.parent.glob("*.go")):
        if path.name.startswith("generated") or path.name.endswith("_test.go"):
            continue
        for name, body in _STRUCT.findall(path.read_text(encoding="utf-8")):
            for line in body.splitlines():
                tag, json_tag = _TAG.match(line), _JSON.search(line)
                if tag is None or json_tag is None:
                    continue
                options = json_tag[1].split(",")[1:]
                is_time = re.match(r"\s+\w+\s+(metav1\.)?(Micro)?Time\s", line) is not None
                if "omitzero" in options or ("omitempty" in options and not is_time):
                    yield f"{package[1]}.{name}", tag[2]


def main() -> None:
    """Reads all and writes the files."""
    made: dict[str, dict[str, list[str]]] = {}
    omitted: set[tuple[str, str]] = set()
    for module in MODULES:
        for proto in sorted(module_folder(module).rglob("generated.proto")):
            if _SERVED.search(proto.as_posix()):
                made.update(messages(proto))
                omitted.update(omitted_fields(proto))
    packed = gzip.compress(msgspec.json.encode(made, order="deterministic"), compresslevel=9, mtime=0)
    DATA.write_bytes(packed)
    found = {
        name: {"pointers": sorted(pointers(name, made)), "nulls": sorted(nulls(name, made, omitted))} for name in made
    }
    WRITTEN.write_bytes(msgspec.json.format(msgspec.json.encode(found, order="deterministic"), indent=0) + b"\n")
    print(f"{DATA.name}: {len(made)} messages, {len(packed)} bytes")


if __name__ == "__main__":
    main()
