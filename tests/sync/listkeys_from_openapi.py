"""Makes the table of list keys from Kubernetes' OpenAPI v3 documents. Run it to rewrite the table:

python -m tests.sync.listkeys_from_openapi
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2] / "src/trueup"
DOCUMENTS = ROOT / "embedded/schema/data/openapi-v3"
TABLE = ROOT / "sync/data/listkeys.json"
PREFIX = "#/components/schemas/"


def make_table() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for path in sorted(DOCUMENTS.glob("*.gz")):
        document = json.loads(gzip.decompress(path.read_bytes()))
        schemas.update(document.get("components", {}).get("schemas", {}))
    types = {name: _fields(schema, schemas) for name, schema in schemas.items()}
    interesting = {name for name, fields in types.items() if any("keys" in f or "is_set" in f for f in fields.values())}
    while True:
        more = {n for n, fields in types.items() if any(f.get("type") in interesting for f in fields.values())}
        if more <= interesting:
            break
        interesting |= more
    kinds: dict[str, str] = {}
    for name, schema in schemas.items():
        if "metadata" not in schema.get("properties", {}):
            continue
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            if gvk["kind"].endswith(("List", "Options", "Event")) or gvk["kind"] == "WatchEvent":
                continue
            version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
            kinds[f"{version}/{gvk['kind']}"] = name
    reached: dict[str, Any] = {}
    todo = list(kinds.values())
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached[name] = {
            field: _trimmed(facts, interesting)
            for field, facts in types[name].items()
            if "keys" in facts or "is_set" in facts or facts.get("type") in interesting
        }
        todo.extend(facts["type"] for facts in reached[name].values() if facts.get("type"))
    return {"kinds": dict(sorted(kinds.items())), "types": dict(sorted(reached.items()))}


def _trimmed(facts: dict[str, Any], interesting: set[str]) -> dict[str, Any]:
    return facts if facts.get("type") in interesting else {k: v for k, v in facts.items() if k != "type"}


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for name, field in schema.get("properties", {}).items():
        if name == "status":
            continue
        facts: dict[str, Any] = {}
        if ref := _ref(field):
            facts["type"] = ref
        elif field.get("type") == "array":
            facts["each"] = True
            if ref := _ref(field.get("items", {})):
                facts["type"] = ref
            match field.get("x-kubernetes-list-type"):
                case "map":
                    keys = facts["keys"] = field["x-kubernetes-list-map-keys"]
                    item: dict[str, Any] = schemas[ref]["properties"] if ref else {}
                    if defaults := {key: item[key]["default"] for key in keys if item.get(key, {}).get("default")}:
                        facts["defaults"] = defaults
                case "set":
                    facts["is_set"] = True
        elif isinstance(more := field.get("additionalProperties"), dict) and (ref := _ref(more)):
            facts |= {"each": True, "type": ref}
        if facts:
            out[name] = facts
    return out


def _ref(field: dict[str, Any]) -> str:
    for candidate in (field, *field.get("allOf", []), *field.get("oneOf", [])):
        if "$ref" in candidate:
            return str(candidate["$ref"]).removeprefix(PREFIX)
    return ""


def text_of(table: dict[str, Any]) -> str:
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TABLE.write_text(text_of(make_table()))
