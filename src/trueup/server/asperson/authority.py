"""Kubernetes' RBAC in place of policies: an `api.authority.Authority` that asks the API server as the person.

One call is one question, about the one object. Lists and streams ask ahead (`prepare`) what the person may in each namespace that
matters, and then decide row by row without a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from trueup.cluster.client import KubeClient
from trueup.model.refs import ObjectRef
from trueup.server.api.authority import Sight
from trueup.server.api.caller import Caller, KubernetesIdentity
from trueup.server.api.operation import Target
from trueup.server.asperson.persons import speaking_as
from trueup.server.asperson.reviews import AT_ONCE, Reviews
from trueup.server.asperson.rights import ALL_IN_ALL, Kinds, Right, advice, rights_of

MOST_PERSONS = 1_000
"""Whose rights are remembered."""


Predicate = Callable[[Target], bool]


def _nothing(_: object) -> bool:
    return False


class _Person:
    """What is known of one, and the predicates made of it."""

    def __init__(self, reviews: Reviews) -> None:
        self.reviews = reviews
        self._made: dict[tuple[str, str], Predicate] = {}
        self._made_of = -1

    def predicate(self, resource: str, action: str, kinds: Kinds) -> Predicate:
        """Kept until something else is known."""
        if self._made_of != self.reviews.answered:
            self._made.clear()
            self._made_of = self.reviews.answered
        if (found := self._made.get((resource, action))) is None:
            found = self._made[resource, action] = _predicate(self.reviews, resource, action, kinds)
        return found


def _predicate(reviews: Reviews, resource: str, action: str, kinds: Kinds) -> Predicate:
    of_namespace: dict[tuple[str, str, str], bool] = {}

    def allowed(target: Target) -> bool:
        if (ref := target.ref) is not None:
            # Most rights are on a whole namespace: thousands of rows, a few questions.
            place = (ref.group, ref.kind, ref.namespace)
            if (whole := of_namespace.get(place)) is None:
                whole = of_namespace[place] = knows(Target("", ObjectRef(*place, "")))
            if whole:
                return True
        return knows(target)

    def knows(target: Target) -> bool:
        rights = rights_of(resource, action, target, kinds)
        return rights is not None and all(map(reviews.knows, rights))

    return allowed


class KubernetesAuthority:
    """`namespaces`: those in which there is something that a list may show."""

    lasting = False

    def __init__(
        self,
        client: KubeClient,
        kinds: Kinds,
        namespaces: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._kinds = kinds
        self._namespaces = namespaces
        self._clock = clock
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._persons: OrderedDict[KubernetesIdentity, _Person] = OrderedDict()

    def version_of(self, caller: Caller) -> int:
        person = self._person(caller)
        return person.reviews.generation if person is not None else 0

    async def prepare(self, caller: Caller) -> None:
        """Raises Transient when the API server cannot be asked."""
        if (person := self._person(caller)) is not None:
            await person.reviews.look(self._kinds.watched, lambda: {self._kinds.control_namespace, *self._namespaces()})

    async def may(self, caller: Caller, resource: str, action: str, target: Target) -> bool:
        person, rights = self._person(caller), rights_of(resource, action, target, self._kinds)
        if person is None or rights is None:
            return False
        for right in rights:
            if not await person.reviews.may(right):
                return False
        return True

    def predicate(self, caller: Caller, resource: str, action: str) -> Callable[[Target], bool]:
        """As far as `prepare` has looked."""
        person = self._person(caller)
        return person.predicate(resource, action, self._kinds) if person is not None else _nothing

    async def sight(self, caller: Caller, refs: Iterable[ObjectRef]) -> Sight:
        """Whether the caller may get an object. Asked ahead for the namespaces of `refs`, and for cluster-scoped ones one by one."""
        person = self._person(caller)
        if person is None:
            return _nothing
        refs, reviews = tuple(refs), person.reviews
        await reviews.look((), lambda: {ref.namespace for ref in refs})
        catalog = await self._client.discovery.catalog()

        def right_of(ref: ObjectRef) -> Right | None:
            resource = catalog.find(ref.group, "", ref.kind)
            return Right("get", ref.group, resource.plural, ref.namespace, ref.name) if resource is not None else None

        if not reviews.knows(ALL_IN_ALL):
            for right in {right_of(ref) for ref in refs if not ref.namespace or reviews.is_incomplete(ref.namespace)}:
                if right is not None and not await reviews.may(
                    Right("get", right.group, right.resource, right.namespace)
                ):
                    await reviews.may(right)

        def sees(ref: ObjectRef) -> bool:
            right = right_of(ref)
            # A kind that is not served yet may be named by whoever may read everything.
            return reviews.knows(right if right is not None else ALL_IN_ALL)

        return sees

    def advice(self, resource: str, action: str, target: Target) -> str:
        return advice(rights_of(resource, action, target, self._kinds))

    def _person(self, caller: Caller) -> _Person | None:
        identity = caller.kubernetes
        if identity is None:
            return None
        if (found := self._persons.get(identity)) is None:
            reviews = Reviews(speaking_as(self._client, identity), self._turn, self._clock)
            found = self._persons[identity] = _Person(reviews)
            if len(self._persons) > MOST_PERSONS:
                self._persons.popitem(last=False)
        self._persons.move_to_end(identity)
        return found
