"""Kubernetes' Events about many objects: one list for each namespace, whatever the number of objects.

What cannot be listed is said, and hides nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable

from trueup.apps.events import EventRow, read_event
from trueup.apps.objects.asks import EventRows
from trueup.cluster.client import KubeClient
from trueup.model.apierror import ApiError
from trueup.model.manifest import Manifest
from trueup.model.refs import ObjectRef

MOST_NAMESPACES = 20
"""Those with the most objects of the App."""
PAGE = 2000
"""Events that are read of a namespace, or of one object."""
MOST = 500
AT_ONCE = 4


async def events_about(client: KubeClient, ref: ObjectRef) -> tuple[Manifest, ...]:
    """As the cluster has them."""
    resource = await client.discovery.resource("", "v1", "Event")
    selector = f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}"
    return tuple(await client.list_page(resource, ref.namespace or "default", field_selector=selector, limit=PAGE))


async def events_about_all(client: KubeClient, refs: Collection[ObjectRef], whose: str) -> EventRows:
    """The newest. `whose`: who may not list them, where somebody may not."""
    turn, notes = asyncio.Semaphore(AT_ONCE), list[str]()
    counts = Counter(ref.namespace or "default" for ref in refs)
    asked = [namespace for namespace, _ in counts.most_common(MOST_NAMESPACES)]
    if len(counts) > len(asked):
        notes.append(f"of {len(counts)} namespaces the {len(asked)} with the most objects were asked")

    async def of(namespace: str) -> list[EventRow]:
        async with turn:
            return await _listed(client, namespace, notes, whose)

    rows = [row for some in await asyncio.gather(*map(of, asked)) for row in some]
    return chosen(rows, refs, tuple(notes))


def chosen(rows: Iterable[EventRow], refs: Collection[ObjectRef], notes: tuple[str, ...]) -> EventRows:
    """Those about the objects, the newest last."""
    about = frozenset(refs)
    fitting = sorted((row for row in rows if row.ref in about), key=lambda row: row.at)
    if len(fitting) > MOST:
        notes = (*notes, f"the newest {MOST} of {len(fitting)}")
    return EventRows(items=tuple(fitting[-MOST:]), notes=notes)


async def _listed(client: KubeClient, namespace: str, notes: list[str], whose: str) -> list[EventRow]:
    resource = await client.discovery.resource("", "v1", "Event")
    try:
        page = await client.list_page(resource, namespace, limit=PAGE)
    except ApiError as error:
        if not error.is_forbidden:
            raise
        notes.append(f"{whose} may not list events in namespace {namespace}")
        return []
    if page.continue_token:
        notes.append(f"namespace {namespace} has more than {PAGE} events, of which {PAGE} were read")
    return [read_event(event) for event in page]
