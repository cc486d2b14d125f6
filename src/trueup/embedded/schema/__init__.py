"""What objects of a kind look like: schemas of built-in kinds and of custom resources, and what follows from them."""

from trueup.embedded.schema.builtin import BuiltinSchemas
from trueup.embedded.schema.crdrules import crd_schema_errors
from trueup.embedded.schema.defaults import apply_defaults
from trueup.embedded.schema.errors import FieldError, field_error
from trueup.embedded.schema.gowriting import with_nulls, without_zeros
from trueup.embedded.schema.node import DEDUCED, SchemaNode
from trueup.embedded.schema.prune import prune, tidy_metadata, unknown_fields, with_texts
from trueup.embedded.schema.structural import NotStructural, structural, structural_errors
from trueup.embedded.schema.validate import validate
from trueup.embedded.schema.zero import zero_object

__all__ = [
    "DEDUCED",
    "BuiltinSchemas",
    "FieldError",
    "NotStructural",
    "SchemaNode",
    "apply_defaults",
    "crd_schema_errors",
    "field_error",
    "prune",
    "structural",
    "structural_errors",
    "tidy_metadata",
    "unknown_fields",
    "validate",
    "with_nulls",
    "with_texts",
    "without_zeros",
    "zero_object",
]
