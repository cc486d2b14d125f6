"""Keys that stand twice in a YAML body, as Go's YAML reader complains of them: by line."""

from __future__ import annotations

from collections.abc import Iterator

import yaml


def keys_twice(raw: bytes) -> tuple[str, ...]:
    """`line 3: key "a" already set in map`, in the order of the text; empty for what is no YAML."""
    try:
        root = yaml.compose(raw, Loader=yaml.CSafeLoader)
        return tuple(_found(root)) if root is not None else ()
    except (yaml.YAMLError, RecursionError):
        return ()


def _found(node: yaml.Node) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
                seen.add(key.value)
            yield from _found(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _found(item)
