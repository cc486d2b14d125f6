"""What a kind's schema does to an object on its way in: unknown fields, defaults, validation, and who owns what.

The schema and merge packages know schemas and field sets; this module knows when to ask them, and which answers are 400
(a built-in kind that Go could not decode), 422 (a custom resource against its schema) or a warning.
"""

from __future__ import annotations

from trueup.embedded import merge, schema
from trueup.embedded.api import gotypes, insideresources, refusals, rules, scale
from trueup.embedded.api.call import Call
from trueup.embedded.api.conversion import SHARED
from trueup.embedded.api.gotypes import NO_LITERALS, Literals
from trueup.embedded.api.kinds import Kind
from trueup.embedded.api.options import FieldValidation
from trueup.embedded.api.quantities import canonical
from trueup.embedded.api.refusals import FieldProblem
from trueup.embedded.api.resetfields import reset_fields
from trueup.embedded.schema.node import MISSING
from trueup.model.manifest import Manifest


class Fields:
    """Stateless; a class so that a test can put another in its place."""

    def check(self, kind: Kind, manifest: Manifest, level: FieldValidation, call: Call) -> None:
        """Unknown and duplicate fields by the level asked for; wrong types of built-in kinds. Raises 400."""
        self.check_types(kind, manifest, call.literals)
        found = self.unknown(kind, manifest, level, call.duplicates)
        if found and level is FieldValidation.STRICT:
            raise refusals.bad_request(f"{_handled_as(kind)}: strict decoding error: {', '.join(_together(found))}")
        for each in found:
            call.warn(each)

    def check_types(self, kind: Kind, manifest: Manifest, literals: Literals = NO_LITERALS) -> None:
        """A built-in kind must decode into its Go type; raises 400."""
        if problem := self.decode_problem(kind, manifest, literals):
            raise refusals.bad_request(f"{_handled_as(kind)}: {problem}")

    def check_metadata(self, kind: Kind, manifest: Manifest) -> None:
        """Metadata of a custom resource must be some; raises 400."""
        if kind.is_custom and (problem := insideresources.decode_problem(kind, manifest)):
            raise refusals.bad_request(f"{_handled_as(kind)}: {problem}")

    def decode_problem(self, kind: Kind, manifest: Manifest, literals: Literals = NO_LITERALS) -> str:
        """Why a built-in kind could not be decoded into its Go type; empty when it can be."""
        if kind.is_custom:
            return insideresources.decode_problem(kind, manifest, literals)
        if kind.schema is None:
            return ""
        return gotypes.decode_problem(kind.schema, manifest, literals)

    def unknown(self, kind: Kind, manifest: Manifest, level: FieldValidation, duplicates: tuple[str, ...]) -> list[str]:
        """What a strict reader complains of, in its words: `unknown field "spec.x"`."""
        if kind.schema is None or level is FieldValidation.IGNORE:
            return []
        unknown = [f'unknown field "{path}"' for path in schema.unknown_fields(kind.schema, manifest)]
        twice = [path if path.startswith("line ") else f'duplicate field "{path}"' for path in duplicates]
        return twice + unknown if kind.is_custom else unknown + twice

    def default(self, kind: Kind, manifest: Manifest, *, decoded: bool = True) -> Manifest:
        """Fills in defaults, of the schema and of the kind. `decoded`: from a request's body, so that what the schema does
        not know is dropped first; what an apply merged was checked field by field, and a null in it is an error."""
        if kind.schema is not None:
            manifest = schema.prune(kind.schema, manifest)[0] if decoded else schema.tidy_metadata(manifest)
            if not kind.is_custom:
                manifest = schema.without_zeros(kind.schema, manifest)
            manifest = schema.apply_defaults(kind.schema, manifest)
        if kind.is_custom:
            return manifest
        if kind.schema is not None:
            manifest = schema.with_nulls(kind.schema, canonical(kind.schema, manifest))
        if kind.is_stored_version:
            rules.of(kind.storage).default(manifest)
        else:
            SHARED[kind.group, kind.version, kind.plural].default(manifest)
        return manifest

    def as_read(self, kind: Kind, live: Manifest) -> Manifest:
        """A stored custom resource without what today's schema does not know: it may be older than that."""
        return schema.prune(kind.schema, live)[0] if kind.is_custom and kind.schema is not None else live

    def problems(
        self, kind: Kind, manifest: Manifest, subresource: str = "", old: Manifest | None = None
    ) -> list[FieldProblem]:
        """What is wrong with a custom resource, by its schema; of a status write with the status alone. What is as it was
        in `old` is not judged again."""
        if kind.schema is None or not kind.is_custom:
            return []
        if subresource == "status":
            node = kind.schema.properties.get("status")
            before = old["status"] if old is not None and "status" in old else MISSING
            found = (
                schema.validate(node, manifest["status"], at="status", old=before)
                if node and "status" in manifest
                else []
            )
        else:
            found = schema.validate(kind.schema, manifest, old=MISSING if old is None else old)
        counts = scale.problems(kind, manifest, of_status=subresource == "status")
        told = [*counts, *(FieldProblem(error.path, error.reason, error.message) for error in found)]
        return told + (insideresources.problems(kind, manifest) if subresource != "status" else [])

    def track(
        self, kind: Kind, before: Manifest | None, after: Manifest, manager: str, subresource: str, now: str
    ) -> Manifest:
        """`after` with `metadata.managedFields` brought up to date for a write by `manager`."""
        try:
            return merge.track_update(
                before,
                after,
                kind.schema,
                manager=manager,
                subresource=subresource,
                now=now,
                reset_fields=reset_fields(kind, subresource),
            )
        except ValueError:
            return after  # fields that have no path (a list item without its keys): validation will say so


def _together(found: list[str]) -> list[str]:
    """Lines of a YAML reader are one complaint, and the first."""
    lines = [each for each in found if each.startswith("line ")]
    rest = [each for each in found if not each.startswith("line ")]
    return ["yaml: unmarshal errors:\n  " + "\n  ".join(lines), *rest] if lines else rest


def _handled_as(kind: Kind) -> str:
    return f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
