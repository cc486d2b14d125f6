"""Asks the API server, as the person, what they may. Answers are kept for a short while; a few questions at a time.

Nothing tells us when somebody's rights change (a webhook may decide, and to watch all of RBAC would be to read it), so an answer is
true for as long as it is kept, and no longer: fail closed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from trueup.cluster.client import KubeClient
from trueup.cluster.exchange import JSON_TYPE
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.server.asperson.rights import ALL_IN_ALL, Right
from trueup.server.asperson.rules import Rules, is_allowed, read_rules

REVIEWS = "/apis/authorization.k8s.io/v1"
KEPT = 30.0
"""Seconds for which an answer holds: kube-apiserver keeps a webhook's refusals as long, its permissions ten times as long."""
REFUSED = 5.0
"""Seconds for which a refusal does: whoever has just been given a right does not want to wait."""
AT_ONCE = 16
"""Questions that are asked at the same time, for all people together."""
MOST_ANSWERS = 2_000
"""Single answers that are kept of one person."""


class Reviews:
    """Of one person. `generation` rises when what is known of their rights is another than before, `answered` with each answer."""

    def __init__(self, client: KubeClient, turn: asyncio.Semaphore, clock: Callable[[], float]) -> None:
        self._client = client
        self._turn = turn
        self._clock = clock
        self._answers: OrderedDict[Right, tuple[float, bool]] = OrderedDict()
        self._rules: dict[str, tuple[float, Rules]] = {}
        self._asking = asyncio.Lock()
        self.generation = 0
        self.answered = 0

    async def may(self, right: Right) -> bool:
        """Raises Transient when the API server cannot be asked."""
        kept = self._answers.get(right)
        if kept is not None and self._clock() - kept[0] < (KEPT if kept[1] else REFUSED):
            return kept[1]
        allowed = is_allowed(await self._review("SelfSubjectAccessReview", {"resourceAttributes": right.attributes}))
        self._answers[right] = (self._clock(), allowed)
        self._answers.move_to_end(right)
        if len(self._answers) > MOST_ANSWERS:
            self._answers.popitem(last=False)
        if kept is not None and kept[1] != allowed:
            self.generation += 1
        return allowed

    async def look(self, everywhere: Iterable[Right], namespaces: Callable[[], Iterable[str]]) -> None:
        """Makes `knows` current: first for all namespaces at once, and where that is not allowed for each that matters."""
        async with self._asking:
            if await self.may(ALL_IN_ALL):
                return
            wide = tuple(everywhere)
            allowed = await asyncio.gather(*(self.may(right) for right in wide))
            if wide and all(allowed):
                return
            now = self._clock()
            wanted = {one for one in namespaces() if one}
            old = [one for one in wanted if one not in self._rules or now - self._rules[one][0] >= KEPT]
            await asyncio.gather(*(self._look_in(namespace, wide) for namespace in old))

    def knows(self, right: Right) -> bool:
        """As far as `look` has looked: what was not asked about, or too long ago, is not allowed."""
        if right.verb == "get" and self._is_allowed(ALL_IN_ALL):
            return True
        wider = {right, Right(right.verb, right.group, right.resource, right.namespace)}
        if any(map(self._is_allowed, (*wider, Right(right.verb, right.group, right.resource)))):
            return True
        rules = self._rules.get(right.namespace)
        return rules is not None and self._clock() - rules[0] < 2 * KEPT and rules[1].allow(right)

    def is_incomplete(self, namespace: str) -> bool:
        """Whether not all that is allowed there can be listed."""
        rules = self._rules.get(namespace)
        return rules is not None and rules[1].incomplete

    def _is_allowed(self, right: Right) -> bool:
        kept = self._answers.get(right)
        return kept is not None and kept[1] and self._clock() - kept[0] < 2 * KEPT

    async def _look_in(self, namespace: str, wide: tuple[Right, ...]) -> None:
        rules = read_rules(await self._review("SelfSubjectRulesReview", {"namespace": namespace}))
        if rules.incomplete:
            # Whoever cannot list their rules has to be asked one by one.
            for right in wide:
                await self.may(Right(right.verb, right.group, right.resource, namespace))
        before = self._rules.get(namespace)
        self._rules[namespace] = (self._clock(), rules)
        if before is not None and before[1] != rules:
            self.generation += 1

    async def _review(self, kind: str, spec: dict[str, object]) -> Manifest:
        """What says no review at all says no."""
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec}
        async with self._turn:
            try:
                answer = await self._client.raw(
                    "POST", f"{REVIEWS}/{kind.lower()}s", body=msgspec.json.encode(body), content_type=JSON_TYPE
                )
            except ApiError as error:
                if error.is_forbidden:
                    return {}
                raise
            finally:
                self.answered += 1
        return answer.manifest
