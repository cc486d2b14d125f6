"""Which Apps of a cluster a working tree declares: those whose repository it is a clone of, at a path inside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from trueup.cli.declared import WorkingTree
from trueup.cli.fetching import read_source
from trueup.cli.releaseintree import chart_in_git
from trueup.cli.session import Found, Session
from trueup.model.errors import InvalidInput
from trueup.model.source import GitSource, Source
from trueup.render.building import clean_path
from trueup.sources.giturl import parse_git_url
from trueup.sources.worktree import remotes


async def apps_of_tree(session: Session, tree: WorkingTree, apps: Iterable[Found]) -> list[Found]:
    """Raises InvalidInput where the tree has no remote, or none of them is any App's."""
    urls = await asyncio.to_thread(remotes, tree.snapshot.root)
    ours = {place for url in urls if (place := place_of(url))}
    if not ours:
        raise InvalidInput(
            f"{tree.snapshot.root} has no remote, so nobody can tell which Apps it declares", hint="name the App"
        )
    found = [app for app in apps if await _is_declared(session, app, ours, tree.inside)]
    if not found:
        below = f" below {tree.inside}" if tree.inside else ""
        raise InvalidInput(
            f"no App takes its manifests from {', '.join(sorted(ours))}{below}", hint="trueup get apps; or name the App"
        )
    return found


async def _is_declared(session: Session, found: Found, ours: set[str], inside: str) -> bool:
    app = found.kind.dialect.read_app(found.obj)
    source: Source
    try:
        if app.release is not None:
            if (chart := await chart_in_git(session, app)) is None:
                return False
            path, source = clean_path(chart[0].chart), chart[1]
        else:
            path, source = clean_path(app.render.path), await read_source(session, app.source)
    except InvalidInput:
        return False
    return _place_of_source(source) in ours and (not inside or path == inside or path.startswith(f"{inside}/"))


def _place_of_source(source: Source) -> str:
    return place_of(source.url) if isinstance(source, GitSource) else ""


def place_of(url: str) -> str:
    """Host and path, however a clone or an App spells them: `git@example.com:shop/apps.git`, `https://example.com/shop/apps`.

    Empty for what is no URL of a repository.
    """
    try:
        parsed = parse_git_url(url, allow_local=True)
    except InvalidInput:
        return ""
    host = parsed.host if parsed.scheme != "http" or parsed.port is None else f"{parsed.host}:{parsed.port}"
    return f"{host}/{parsed.path.strip('/').removesuffix('.git')}"
