"""What an App asks for, as one digest, so that "did anything change?" is one comparison. Pure."""

from __future__ import annotations

from msgspec import structs

from trueup.controllers.feeds import Feed
from trueup.controllers.memory import AppMemory
from trueup.model.app import App
from trueup.model.outcome import Requests
from trueup.sync.canonical import keyed_digest


def with_ignore(app: App, feed: Feed | None) -> App:
    """The source says what of it is left out; the App only names the source."""
    if feed is None or feed.source is None or feed.source.ignore is None:
        return app
    return structs.replace(app, render=structs.replace(app.render, ignore=feed.source.ignore))


def wanted_digest(memory: AppMemory, feed: Feed | None) -> str:
    """A digest of all that was asked for: by the App, and by its source about what to leave out."""
    ignore = feed.source.ignore if feed is not None and feed.source is not None else None
    return memory.app_digest if ignore is None else f"{memory.app_digest}:{keyed_digest(ignore, b'')}"


def is_behind(memory: AppMemory, feed: Feed | None) -> bool:
    """Whether what it was asked for last, or what it read, has not been synced yet."""
    return memory.content_stale or wanted_digest(memory, feed) != memory.saved.spec_digest


def unanswered(memory: AppMemory, requests: Requests) -> str:
    """The token that the next outcome answers; empty: none."""
    return requests.token if requests.token != memory.saved.handled_request else ""


def app_digest(app: App) -> str:
    """Changes when anything that decides the objects (or what is shown of them) changes; the generation alone does not."""
    asked = (app.source, app.render, app.rules, app.release, app.history_limit)
    return keyed_digest(repr(asked if app.target is None else (*asked, app.target)), b"")
