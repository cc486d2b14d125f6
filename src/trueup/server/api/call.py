"""One call of an operation, as its handler sees it: who, what, and what they may."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from trueup.apps.objects.refusals import check_version
from trueup.model.errors import TrueupError
from trueup.model.refs import ObjectRef
from trueup.server.api.authority import Authority, Sight
from trueup.server.api.caller import Caller
from trueup.server.api.operation import Operation, Target
from trueup.server.api.refusals import Forbidden, NotFound

T = TypeVar("T")
EVERYTHING = "*"
"""The target of what is about all there is of a resource."""


class Notes:
    """What the audit entry of a call is to tell beside who and when. The last word counts."""

    def __init__(self) -> None:
        self.target = ""
        self.project = ""
        self.message = ""
        self.before = ""
        self.after = ""
        self.revision = ""
        self.address = ""
        self.actor = ""
        """Who it turned out to be, of a call that began with nobody: a sign-in that went well."""
        """Of a public operation's caller, whom nobody looked at before."""
        self.refused = ""
        """The reason, where the answer itself is no refusal: a browser that is sent on to a page which says it."""


class Call:
    """`path` holds the parts that the path names, `query` and `body` the structs that the operation asks for."""

    def __init__(
        self,
        operation: Operation,
        request: web.Request,
        caller: Caller,
        authority: Authority,
        *,
        query: Any = None,
        body: Any = None,
        request_id: str = "",
    ) -> None:
        self.operation = operation
        self.request = request
        self.caller = caller
        self.query = query
        self.body = body
        self.request_id = request_id
        self.notes = Notes()
        self.target: Target | None = None
        self._authority = authority

    @property
    def path(self) -> Mapping[str, str]:
        return self.request.match_info

    async def may(self, resource: str, action: str, target: Target) -> bool:
        return await self._authority.may(self.caller, resource, action, target)

    async def require(self, resource: str, action: str, target: Target) -> None:
        """Raises Forbidden, or NotFound where not even its existence is the caller's to know."""
        if await self.may(resource, action, target):
            return
        if action != "get" and await self.may(resource, "get", target):
            raise Forbidden(
                f"{self.caller.shown} may not {action} {resource} {target.name}",
                hint=self.advice(resource, action, target),
                ref=target.ref,
            )
        if target.name == EVERYTHING:
            raise NotFound(f"there is no {resource} that you may see", hint=self.advice(resource, action, target))
        raise missing(target)

    def advice(self, resource: str, action: str, target: Target) -> str:
        """What to ask for, who may not."""
        return self._authority.advice(resource, action, target)

    async def prepare(self) -> None:
        """Before `predicate` of an operation that is not Listed, and in streams before each look at what is to be told."""
        await self._authority.prepare(self.caller)

    async def sight(self, refs: Iterable[ObjectRef]) -> Sight:
        """Which objects of an App, whom the caller may see, are to be seen too. Answers for `refs`, and is not to be kept."""
        return await self._authority.sight(self.caller, refs)

    def predicate(self, resource: str, action: str = "get") -> Callable[[Target], bool]:
        """`may` for many objects. Ask for it anew at each use: it is kept, and changes when policies do."""
        return self._authority.predicate(self.caller, resource, action)

    @property
    def rights_version(self) -> int:
        """Rises when `predicate` may answer otherwise than before."""
        return self._authority.version_of(self.caller)

    def note(
        self,
        *,
        actor: str = "",
        target: str = "",
        project: str = "",
        message: str = "",
        before: str = "",
        after: str = "",
        revision: str = "",
    ) -> None:
        """For the audit log; texts must be masked already."""
        given = {
            "actor": actor,
            "target": target,
            "project": project,
            "message": message,
            "before": before,
            "after": after,
            "revision": revision,
        }
        for name, value in given.items():
            if value:
                setattr(self.notes, name, value)

    def note_refused(self, error: TrueupError) -> None:
        """For the audit log, of a call that is answered with a way on all the same."""
        self.notes.refused, self.notes.message = error.reason, error.message

    def check_version(self, version: str) -> None:
        """Raises OtherVersion when the caller thought of another version (`If-Match`)."""
        check_version(self.request.headers.get("If-Match", ""), version)

    @property
    def last_event_id(self) -> str:
        """Where a stream that was cut is to go on; empty: from now."""
        return self.request.headers.get("Last-Event-ID", "") or self.request.query.get("since", "")


def missing(target: Target) -> NotFound:
    return NotFound(f"there is no {target.ref or target.name}", ref=None, hint="look at the list of what there is")
