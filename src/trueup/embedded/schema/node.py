"""One place in a schema: what may stand there, and how its values are merged.

A node wraps a raw OpenAPI or structural schema and resolves `$ref` and single-element `allOf` lazily, so that
recursive definitions cost nothing until they are walked. It knows no values: pruning, defaulting and validating
are modules of their own beside it, and merging is `embedded.merge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, TypeAlias

RawSchema: TypeAlias = dict[str, Any]
Lookup: TypeAlias = Callable[[str], "SchemaNode | None"]
"""Finds the node of a definition by its name, the last part of a `$ref`."""

MISSING: Final = object()
QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
RAW_EXTENSION: Final = "io.k8s.apimachinery.pkg.runtime.RawExtension"
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


_VALUE_RULES: Final = frozenset(
    {
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "multipleOf",
        "minItems",
    }
    | {"maxItems", "uniqueItems", "minProperties", "maxProperties", "x-kubernetes-int-or-string"}
)


class SchemaNode:
    """A schema at one place. Nodes are shared and immutable; compare them by identity."""

    def __init__(
        self, raw: RawSchema, lookup: Lookup, *, name: str = "", preserve: bool = False, builtin: bool = False
    ) -> None:
        """`name`: of the definition, when this is one. `preserve`: an ancestor preserves unknown fields for all below."""
        self._builtin = builtin
        self.raw = raw
        self.name = name
        self._lookup = lookup
        self._preserve_below = preserve
        self.type: str = raw.get("type") or ""
        self.nullable: bool = raw.get("nullable") is True
        self.preserve_unknown: bool = raw.get("x-kubernetes-preserve-unknown-fields") is True
        self.embedded_resource: bool = raw.get("x-kubernetes-embedded-resource") is True
        self.quantity: bool = name == QUANTITY
        self.raw_extension: bool = name == RAW_EXTENSION
        self.int_or_string: bool = (
            raw.get("x-kubernetes-int-or-string") is True
            or raw.get("format") == "int-or-string"
            or name == INT_OR_STRING
        )
        self.default: Any = raw.get("default", MISSING)
        self.required: tuple[str, ...] = tuple(raw.get("required") or ())
        strategy = raw.get("x-kubernetes-patch-strategy") or ""
        self.patch_strategies: frozenset[str] = frozenset(strategy.split(",")) if strategy else frozenset()
        self.patch_merge_key: str = raw.get("x-kubernetes-patch-merge-key") or ""
        self.map_type: str = raw.get("x-kubernetes-map-type") or ""
        self.list_type, self.list_keys = _list_type(raw, self.patch_strategies, self.patch_merge_key)

    @property
    def builtin(self) -> bool:
        """Whether this is (part of) a definition of Kubernetes' own, where zero values mean something else."""
        return self._builtin

    @property
    def is_resource(self) -> bool:
        """Whether objects here have apiVersion, kind and metadata of their own, which the schema need not declare."""
        return False

    @property
    def is_free_form(self) -> bool:
        """Whether anything may stand here because nothing is declared: in Kubernetes' own definitions, and without a type."""
        if self.raw.get("properties") or "additionalProperties" in self.raw:
            return False
        return self.preserve_unknown or self.builtin or not self.type

    @cached_property
    def has_value_rules(self) -> bool:
        """Whether more than types, required fields and enums limits what may stand here."""
        return not _VALUE_RULES.isdisjoint(self.raw) or (self.type == "string" and "format" in self.raw)

    @property
    def is_map_atomic(self) -> bool:
        """Whether a map here is merged and owned only as a whole."""
        return self.map_type == "atomic" or self.raw_extension

    @property
    def is_list_atomic(self) -> bool:
        return self.list_type == "atomic"

    @cached_property
    def properties(self) -> Mapping[str, SchemaNode]:
        """The declared fields."""
        below = self._preserve_below or self.preserve_unknown
        return {name: self._node_of(raw, below) for name, raw in (self.raw.get("properties") or {}).items()}

    @cached_property
    def with_defaults(self) -> Mapping[str, SchemaNode]:
        """The declared fields that have a default."""
        return {name: node for name, node in self.properties.items() if node.effective_default is not MISSING}

    @property
    def effective_default(self) -> Any:
        """What an absent field becomes, or MISSING. In Kubernetes' own schemas the zero values only say that a Go field
        is no pointer; of those, the server writes out none but empty structs."""
        if self.default is None:
            return MISSING
        if self._builtin and (self.default in ("", 0) or (self.default == {} and self.type != "object")):
            return MISSING
        return self.default

    @cached_property
    def holds_resources(self) -> bool:
        """Whether a place below is said to hold whole objects, with a kind and metadata of their own."""
        if self._builtin or self.name:
            return False
        below = [*self.properties.values(), *filter(None, (self.declared_additional,))]
        if isinstance(self.raw.get("items"), dict):
            below.append(self.items)
        return any(node.embedded_resource or node.holds_resources for node in below)

    @property
    def declared_additional(self) -> SchemaNode | None:
        """The schema of undeclared fields, when one is written down."""
        return self.additional if isinstance(self.raw.get("additionalProperties"), dict) else None

    @cached_property
    def items(self) -> SchemaNode:
        """What the items of a list are; anything, owned whole, when the schema does not say."""
        raw = self.raw.get("items")
        if not isinstance(raw, dict):
            return UNTYPED
        return self._node_of(raw, self._preserve_below or self.preserve_unknown)

    @cached_property
    def additional(self) -> SchemaNode | None:
        """What an undeclared field is; None when there may be none."""
        if self.raw_extension:
            return UNTYPED
        raw = self.raw.get("additionalProperties")
        below = self._preserve_below or self.preserve_unknown
        if isinstance(raw, dict):
            return self._node_of(raw, below)
        if raw is True:
            return DEDUCED
        if raw is False:
            return None
        # An object that declares nothing is free-form; so is what an ancestor says to preserve.
        return DEDUCED if below or not self.raw.get("properties") else None

    def child(self, name: str) -> SchemaNode | None:
        """The node of a field; None when the schema has no place for it."""
        found = self.properties.get(name)
        return found if found is not None else self.additional

    @property
    def accepts_scalar(self) -> bool:
        return self.type not in ("object", "array")

    @property
    def accepts_map(self) -> bool:
        return self.type in ("object", "") and not self.is_scalar_only

    @property
    def accepts_list(self) -> bool:
        return self.type in ("array", "") and not self.is_scalar_only

    @property
    def is_scalar_only(self) -> bool:
        """Types without `type` that the server knows to be scalars all the same."""
        return self.quantity or (self.int_or_string and bool(self.name))

    def _node_of(self, raw: RawSchema, preserve: bool) -> SchemaNode:
        return node_of(raw, self._lookup, preserve=preserve, builtin=self._builtin)

    def with_overrides(self, extra: RawSchema) -> SchemaNode:
        """This definition at a place that adds a default, a map type or the like beside the reference."""
        return _Overridden(self, extra)

    def __repr__(self) -> str:
        return f"SchemaNode({self.name or self.type or 'any'})"


class _Overridden(SchemaNode):
    """A definition with some keywords said anew at the place of use. Children are the definition's own nodes."""

    def __init__(self, base: SchemaNode, extra: RawSchema) -> None:
        super().__init__(
            base.raw | extra, base._lookup, name=base.name, preserve=base._preserve_below, builtin=base._builtin
        )
        self._base = base

    @cached_property
    def properties(self) -> Mapping[str, SchemaNode]:
        return self._base.properties

    @cached_property
    def items(self) -> SchemaNode:
        return self._base.items

    @cached_property
    def additional(self) -> SchemaNode | None:
        return self._base.additional


def _list_type(raw: RawSchema, strategies: frozenset[str], merge_key: str) -> tuple[str, tuple[str, ...]]:
    """`atomic`, `set` or `map` with its keys; the older patch strategies decide where no list type is said."""
    match raw.get("x-kubernetes-list-type"):
        case "map":
            return "map", tuple(raw.get("x-kubernetes-list-map-keys") or ())
        case "set":
            return "set", ()
        case "atomic":
            return "atomic", ()
    if "merge" in strategies:
        return ("map", (merge_key,)) if merge_key else ("set", ())
    return "atomic", ()


def node_of(raw: RawSchema, lookup: Lookup, *, preserve: bool = False, builtin: bool = False) -> SchemaNode:
    """The node of a raw schema, a reference followed."""
    if raw.get("x-kubernetes-embedded-resource") is True:
        return ResourceNode(raw, lookup, preserve=preserve)
    reference = raw.get("$ref")
    if reference is None:
        every = raw.get("allOf")
        if isinstance(every, list) and len(every) == 1 and isinstance(every[0], dict):
            reference = every[0].get("$ref")
    if isinstance(reference, str):
        base = lookup(reference.rpartition("/")[2])
        if base is None:
            return DEDUCED
        extra = {key: value for key, value in raw.items() if key not in ("$ref", "allOf", "description")}
        return base.with_overrides(extra) if extra else base
    return SchemaNode(raw, lookup, preserve=preserve, builtin=builtin)


class ResourceNode(SchemaNode):
    """A whole custom resource, or one inside another: its metadata is Kubernetes' own, whatever the schema says of it."""

    @property
    def is_resource(self) -> bool:
        return True

    @property
    def is_free_form(self) -> bool:
        return False

    @cached_property
    def properties(self) -> Mapping[str, SchemaNode]:
        below = self._preserve_below or self.preserve_unknown
        own = {name: self._node_of(raw, below) for name, raw in (self.raw.get("properties") or {}).items()}
        text = SchemaNode({"type": "string"}, self._lookup)
        return own | {"apiVersion": text, "kind": text, "metadata": self._lookup(OBJECT_META) or DEDUCED}


def _nowhere(_name: str) -> SchemaNode | None:
    return None


class _Untyped(SchemaNode):
    """Anything, owned as a whole."""

    def __init__(self) -> None:
        super().__init__({"x-kubernetes-map-type": "atomic"}, _nowhere)

    @cached_property
    def additional(self) -> SchemaNode | None:
        return self


class _Deduced(SchemaNode):
    """Anything whose type the value itself tells: maps are granular, lists atomic."""

    def __init__(self) -> None:
        super().__init__({"x-kubernetes-preserve-unknown-fields": True}, _nowhere)

    @cached_property
    def additional(self) -> SchemaNode | None:
        return self


UNTYPED: Final[SchemaNode] = _Untyped()
DEDUCED: Final[SchemaNode] = _Deduced()
"""The node of an object without a schema."""
