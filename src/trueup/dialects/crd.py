"""CustomResourceDefinition manifests. All served versions of a kind share one schema, so that none prunes another's fields."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trueup.dialects.dialect import ServedKind
from trueup.dialects.schema import Schema, schema_of
from trueup.model.manifest import Manifest, labels_of

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "trueup"
"""Tells our CRDs from the originals', whose other labels ours carry too, since their clients look for those."""


class Column(Struct, frozen=True):
    """One column of `kubectl get`; a priority above 0 shows with `-o wide`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0

    def to_manifest(self) -> dict[str, Any]:
        row: dict[str, Any] = {"jsonPath": self.path, "name": self.name, "type": self.type}
        return {**row, "priority": self.priority} if self.priority else row


AGE = Column("Age", ".metadata.creationTimestamp", "date")
READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
STATUS = Column("Status", '.status.conditions[?(@.type=="Ready")].message')


class Definition(Struct, frozen=True, kw_only=True):
    """What a CRD says besides its schema."""

    kind: ServedKind
    description: str
    columns: tuple[Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    status_subresource: bool = True


def build_crd(
    definition: Definition,
    *,
    spec: type[Struct],
    status: type[Struct],
    status_default: dict[str, Any] | None = None,
    more: dict[str, Schema] | None = None,
    required: tuple[str, ...] = (),
) -> Manifest:
    """The whole manifest. `more` are further top-level properties (Argo CD's `operation`)."""
    kind = definition.kind
    status_schema = schema_of(status)
    if status_default is not None:
        status_schema = {"default": status_default, **status_schema}
    schema: Schema = {
        "description": definition.description,
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema_of(spec),
            "status": status_schema,
            **(more or {}),
        },
    }
    if required:
        schema["required"] = list(required)
    names: dict[str, Any] = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    if definition.categories:
        names["categories"] = list(definition.categories)
    metadata: dict[str, Any] = {"name": kind.crd_name, "labels": {**definition.labels, MANAGED_BY_LABEL: MANAGED_BY}}
    if definition.annotations:
        metadata["annotations"] = dict(definition.annotations)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == kind.version,
                    "additionalPrinterColumns": [column.to_manifest() for column in definition.columns],
                    **({"subresources": {"status": {}}} if definition.status_subresource else {}),
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in kind.versions
            ],
        },
    }


def is_ours(crd: Manifest) -> bool:
    """Whether an installed CRD came from us; if not, another product's controllers may serve the same resources."""
    return labels_of(crd).get(MANAGED_BY_LABEL) == MANAGED_BY
