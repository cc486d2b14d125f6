"""The verbs on resources: from a request's target to the operation, and from its result to the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from trueup.embedded.api import (
    body,
    deleteoptions,
    deletion,
    forms,
    negotiation,
    options,
    patching,
    reads,
    refusals,
    scale,
    subbodies,
)
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Answer, Request, Responder, Stream, Takeover
from trueup.embedded.api.kinds import Kind, Registry
from trueup.embedded.api.negotiation import Form, View
from trueup.embedded.api.options import FieldValidation, WriteOptions
from trueup.embedded.api.patching import Patches
from trueup.embedded.api.reads import Page
from trueup.embedded.api.reviews import KINDS as REVIEWS
from trueup.embedded.api.reviews import Reviews
from trueup.embedded.api.scaling import Scales
from trueup.embedded.api.subresources import Subresources
from trueup.embedded.api.watching import PATIENCE, WatchStream
from trueup.embedded.api.writes import Mutation, Outcome, Writes
from trueup.embedded.storage.keys import Resource
from trueup.embedded.storage.store import Store
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest, metadata_of

_BINDINGS = Resource("", "bindings")
_READING = ("get", "list", "watch")
_WRITTEN_BY_PARENT = ("status", "finalize", "approval", "resize", "ephemeralcontainers")


class Verbs(Responder):
    """Answers requests for resources."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        writes: Writes,
        removal: Deletion,
        fields: Fields,
        reviews: Reviews,
        subresources: Subresources,
    ) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._removal = removal
        self._fields = fields
        self._reviews = reviews
        self._subresources = subresources
        self._scales = Scales(registry, writes.now)
        self._patches = Patches(fields, writes.now)
        self._watches: dict[WatchStream, Kind] = {}
        registry.on_removed(self._end_watches)

    async def respond(self, request: Request) -> Answer | Stream | Takeover:
        if request.target.verb in _READING:
            return await self._respond(request)
        try:
            return await self._respond(request)
        except ApiError:
            # Writers see what is staged, readers what is committed: whoever is told "already exists" may read it next.
            await self._store.committed()
            raise

    async def _respond(self, request: Request) -> Answer | Stream | Takeover:
        target = request.target
        kind = self._registry.find(target.group, target.version, target.resource)
        if kind is None:
            builtin = self._registry.is_builtin_group(target.group)
            raise refusals.no_resource() if builtin else refusals.PageNotFound()
        if target.namespace and not kind.namespaced and target.resource != "namespaces":
            raise refusals.PageNotFound() if kind.is_custom else refusals.no_resource()
        if kind.deprecation:
            request.call.warn(kind.deprecation)
        if kind.is_custom:
            negotiation.check_custom(request.accept)
        if target.subresource:
            return await self._subresource(kind, request)
        if target.verb == "watch" and "watch" not in kind.verbs and "list" in kind.verbs:
            raise refusals.not_watched(kind.resource)
        if target.verb not in kind.verbs and not (target.verb == "update" and "update" in kind.verbs):
            raise refusals.method_not_allowed()
        if kind.namespaced and not target.namespace and target.verb not in ("list", "watch"):
            raise refusals.method_not_allowed() if not target.name else refusals.PageNotFound()
        if not target.name and target.verb in ("get", "update", "patch", "delete"):
            raise refusals.method_not_allowed()
        verb: Callable[[Kind, Request], Awaitable[Answer | Stream]] = getattr(self, f"_{target.verb}")
        return await verb(kind, request)

    def stop(self) -> None:
        """Ends every watch."""
        for stream in list(self._watches):
            stream.stop()

    def _end_watches(self, removed: Kind) -> None:
        for stream, kind in list(self._watches.items()):
            if kind is removed:
                stream.stop()

    # Reading.

    async def _get(self, kind: Kind, request: Request) -> Answer:
        form = _form(kind, request)
        version = request.query.get("resourceVersion", "")
        record = reads.get(self._store, kind, self._namespace(kind, request), request.target.name, version)
        if form == negotiation.DEFAULT:
            return Answer(forms.object_json(kind, record) + b"\n")
        return self._object(kind, kind.from_storage(record.manifest), form, request)

    async def _list(self, kind: Kind, request: Request) -> Answer:
        form = _form(kind, request, is_list=True)
        asked = options.list_options(request.query, watching=False)
        chosen = reads.selection(kind, self._namespace(kind, request), asked)
        page = reads.page(self._store, kind, chosen, asked)
        return self._listed(kind, page, str(page.resource_version), form, request)

    def _listed(self, kind: Kind, page: Page, version: str, form: Form, request: Request) -> Answer:
        meta: dict[str, Any] = {"resourceVersion": version}
        if page.continue_ or (kind.is_custom and form.view is View.FULL):
            meta["continue"] = page.continue_
        if page.remaining is not None:
            meta["remainingItemCount"] = page.remaining
        content = forms.list_json(kind, page.records, meta, form, _include(request))
        return Answer(content, content_type=form.media_type)

    async def _watch(self, kind: Kind, request: Request) -> Stream:
        if request.method != "GET":
            raise refusals.method_not_allowed()
        form = negotiation.choose_stream(request.accept)
        _check_include(form, request)
        asked = options.list_options(request.query, watching=True)
        name = request.target.name if not asked.field_selector else ""
        chosen = reads.selection(kind, self._namespace(kind, request), asked, name)
        stream = WatchStream(self._store, kind, chosen, asked, form, _include(request))
        return Stream(self._followed(kind, stream), patience=PATIENCE)

    async def _followed(self, kind: Kind, stream: WatchStream) -> AsyncIterator[bytes]:
        self._watches[stream] = kind
        try:
            async for lines in stream.lines():
                yield lines
        finally:
            del self._watches[stream]

    # Writing.

    async def _create(self, kind: Kind, request: Request) -> Answer:
        if request.target.name:
            raise refusals.method_not_allowed()
        if kind.storage == _BINDINGS:
            return await self._subresources.bind(request)
        asked = options.write_options(request.query, "CreateOptions")
        negotiation.choose(request.accept)
        manifest = self._body(kind, request, asked)
        if kind.name in REVIEWS:
            now = self._writes.now()
            manifest = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": {}} | manifest
            manifest = self._fields.track(kind, None, manifest, request.call.manager(asked.field_manager), "", now)
            answer = self._reviews.answer(kind, request.target.namespace, manifest, request.call)
            return Answer(forms.encode(answer, negotiation.DEFAULT), 201)
        outcome = await self._writes.create(kind, request.target.namespace, manifest, asked, request.call)
        return self._written(kind, outcome, request)

    async def _update(self, kind: Kind, request: Request, subresource: str = "") -> Answer:
        negotiation.choose(request.accept)
        asked = options.write_options(request.query, "UpdateOptions")
        outcome = await self._writes.update(
            kind,
            self._namespace(kind, request),
            request.target.name,
            self._body(kind, request, asked),
            asked,
            request.call,
            subresource,
        )
        return self._written(kind, outcome, request)

    async def _patch(self, kind: Kind, request: Request, subresource: str = "") -> Answer:
        negotiation.choose(request.accept)
        asked, patch = self._read_patch(kind, request)
        mutation = self._patches.mutation(kind, request.target.name, patch, asked, request.call, subresource)
        outcome = await self._changed(kind, request, mutation, asked, subresource)
        return self._written(kind, outcome, request)

    async def _delete(self, kind: Kind, request: Request) -> Answer:
        negotiation.choose(request.accept)
        asked = self._delete_options(request)
        target = request.target
        deleted = await self._removal.delete(kind, self._namespace(kind, request), target.name, asked, request.call)
        meta = metadata_of(deleted.manifest)
        if not deletion.answers_object(kind, deleted):
            status = refusals.success(kind.resource, str(meta["name"]), str(meta.get("uid", "")))
            form = negotiation.of_status(request.accept)
            return Answer(forms.encode(status, form), content_type=form.media_type)
        return self._object(kind, deleted.manifest, negotiation.choose(request.accept), request)

    async def _deletecollection(self, kind: Kind, request: Request) -> Answer:
        negotiation.choose(request.accept)
        form = _form(kind, request, is_list=True)
        asked = self._delete_options(request)
        listed = options.list_options(request.query, watching=False)
        chosen = reads.selection(kind, self._namespace(kind, request), listed)
        page = reads.page(self._store, kind, chosen, listed)
        for record in page.records:
            try:
                await self._removal.delete(kind, *record.key, asked, request.call)
            except refusals.ApiError as error:
                if not error.is_not_found:
                    raise
        return self._listed(kind, page, str(self._store.resource_version), form, request)

    # Subresources.

    async def _subresource(self, kind: Kind, request: Request) -> Answer | Stream | Takeover:
        target = request.target
        known = kind.subresources.get(target.subresource)
        if known is None or not target.name:
            if kind.is_custom and target.name:
                raise refusals.not_found(kind.resource, target.name)
            raise refusals.no_resource() if self._registry.is_builtin_group(kind.group) else refusals.PageNotFound()
        if target.verb not in known.verbs:
            raise (
                refusals.method_of_custom(kind.resource, target.verb)
                if kind.is_custom
                else refusals.method_not_allowed()
            )
        if target.subresource == "scale":
            return await self._scale(kind, request)
        if target.subresource in _WRITTEN_BY_PARENT:
            if target.verb == "get":
                return await self._get(kind, request)
            verb = self._update if target.verb == "update" else self._patch
            return await verb(kind, request, target.subresource)
        return await self._subresources.respond(kind, request)

    async def _scale(self, kind: Kind, request: Request) -> Answer:
        name, namespace = request.target.name, self._namespace(kind, request)
        scale_kind = self._subresources.scale_kind(kind)
        if request.target.verb == "get":
            record = reads.get(self._store, kind, namespace, name)
            live = kind.from_storage(record.manifest)
            scale.check_has_replicas(kind, live)
            shown = scale.scale_of(kind, live)
            return self._object(scale_kind, shown, _form(scale_kind, request), request)
        if request.target.verb == "update":
            asked = options.write_options(request.query, "UpdateOptions")
            sent = self._sent_scale(scale_kind, request, asked)
            step = self._scales.update(kind, sent, request.call.manager(asked.field_manager))
        else:
            asked, patch = self._read_patch(scale_kind, request)
            if patch.is_apply:
                step = self._scales.apply(kind, patch.value, asked.field_manager, force=bool(asked.force))
            else:
                manager = request.call.manager(asked.field_manager)
                step = self._scales.patch(kind, self._patches.decoded(scale_kind, patch, asked, request.call), manager)

        def mutation(live: Manifest | None) -> Manifest:
            if live is None:
                raise refusals.not_found(kind.resource, name)
            made = step(live)
            return self._fields.default(kind, made) if kind.is_custom else made  # a new spec gets its defaults

        outcome = await self._changed(kind, request, mutation, asked, "scale")
        return Answer(forms.encode(scale.scale_of(kind, outcome.manifest), negotiation.DEFAULT))

    def _sent_scale(self, scale_kind: Kind, request: Request, asked: WriteOptions) -> Manifest:
        sent = self._body(scale_kind, request, asked)
        subbodies.check_kind(sent, scale_kind, self._registry)
        self._fields.check(scale_kind, sent, asked.field_validation, request.call)
        meta = sent["metadata"] = sent.get("metadata") or {}
        name, namespace = request.target.name, request.target.namespace
        if meta.setdefault("name", name) != name:
            raise refusals.bad_request(
                f"the name of the object ({meta['name']}) does not match the name on the URL ({name})"
            )
        if meta.setdefault("namespace", namespace) != namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return sent

    # Common parts.

    async def _changed(
        self, kind: Kind, request: Request, mutation: Mutation, asked: WriteOptions, subresource: str
    ) -> Outcome:
        return await self._writes.change(
            kind,
            self._namespace(kind, request),
            request.target.name,
            mutation,
            asked,
            request.call,
            "" if subresource == "scale" else subresource,
        )

    def _read_patch(self, kind: Kind, request: Request) -> tuple[WriteOptions, patching.Patch]:
        type_ = patching.type_of(kind, request.content_type)
        asked = options.write_options(request.query, "PatchOptions", applying=type_ is patching.PatchType.APPLY)
        patch = patching.read_patch(request.body, type_, find_duplicates=_wants_duplicates(asked))
        return asked, patch

    def _namespace(self, kind: Kind, request: Request) -> str:
        return request.target.namespace if kind.namespaced else ""

    def _body(self, kind: Kind, request: Request, asked: WriteOptions) -> Manifest:
        read = body.decode_object(
            request.body, request.content_type, find_duplicates=_wants_duplicates(asked), wanted=kind.name
        )
        if kind.is_custom:
            body.check_type_named(read.manifest, request.body, kind.name, kind.api_version)
            body.check_numbers(read, kind.name, kind.version)
        request.call.duplicates, request.call.literals = read.duplicates, read.literals
        return read.manifest

    def _delete_options(self, request: Request) -> options.DeleteOptions:
        if not request.body:
            return options.delete_options(request.query, None)
        return options.delete_options(request.query, deleteoptions.read(request.body, request.content_type))

    def _written(self, kind: Kind, outcome: Outcome, request: Request) -> Answer:
        code = 201 if outcome.created else 200
        form = negotiation.choose(request.accept)
        if form == negotiation.DEFAULT and outcome.record is not None:
            return Answer(forms.object_json(kind, outcome.record) + b"\n", code)
        return self._object(kind, outcome.manifest, form, request, code)

    def _object(self, kind: Kind, manifest: Manifest, form: Form, request: Request, code: int = 200) -> Answer:
        shown = forms.single(kind, manifest, form, _include(request))
        return Answer(forms.encode(shown, form), code, form.media_type)


def _wants_duplicates(asked: WriteOptions) -> bool:
    return asked.field_validation is not FieldValidation.IGNORE


def _form(kind: Kind, request: Request, *, is_list: bool = False) -> Form:
    """The form of a read; raises 406, and 400 for rows that carry what there is not."""
    form = negotiation.choose(request.accept, of_collection=is_list)
    if form.view is (View.METADATA if is_list else View.METADATA_LIST):
        if kind.is_custom and not is_list:
            raise refusals.ApiError(500, "", "content is not a list")
        package = (
            "unstructured.Unstructured" if kind.is_custom else f"{kind.group.partition('.')[0] or 'core'}.{kind.name}"
        )
        raise refusals.wrong_view(form.view, f"*{package}{'List' if is_list else ''}", is_list=is_list)
    _check_include(form, request)
    return form


def _check_include(form: Form, request: Request) -> None:
    include = request.query.get("includeObject", "")
    if form.view is View.TABLE and include not in ("", "None", "Metadata", "Object"):
        detail = "must be 'Metadata', 'Object', 'None', or empty"
        raise refusals.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": {detail}'
        )


def _include(request: Request) -> str:
    return request.query.get("includeObject", "Metadata") or "Metadata"
