"""Pushes as the Git hosts tell them: GitHub, GitLab, Gitea and Forgejo, Gogs, Bitbucket Cloud and Server, Azure DevOps. Pure.

Each function takes a delivery that has been proved, and answers its news; none: an event that moves nothing.
Sources: the providers' documentation of webhook payloads.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from trueup.model.news import News, NewsKind
from trueup.server.webhooks.delivery import Delivery

_LEGACY_HOST = ".visualstudio.com"


class _Repository(Struct, kw_only=True):
    clone_url: str = ""
    ssh_url: str = ""
    git_url: str = ""
    html_url: str = ""
    default_branch: str = ""


class _Push(Struct, kw_only=True):
    """GitHub's, and of the same form Gitea's, Forgejo's and Gogs'."""

    ref: str = ""
    repository: _Repository = field(default_factory=_Repository)


def github_like(event: str, delivery: Delivery) -> list[News]:
    """GitHub, Gitea, Forgejo and Gogs; `create` is how a tag comes where it is no push."""
    if event not in ("push", "create"):
        return []
    push = delivery.read(_Push)
    here = push.repository
    ref = push.ref if push.ref.startswith("refs/") else ""
    return _news((here.clone_url, here.ssh_url, here.html_url, here.git_url), ref, here.default_branch)


class _GitLabProject(Struct, kw_only=True):
    git_http_url: str = ""
    git_ssh_url: str = ""
    web_url: str = ""
    default_branch: str = ""


class _GitLabPush(Struct, kw_only=True):
    object_kind: str = ""
    event_name: str = ""
    ref: str = ""
    project: _GitLabProject = field(default_factory=_GitLabProject)


def gitlab(delivery: Delivery) -> list[News]:
    """Project, group and system hooks."""
    push = delivery.read(_GitLabPush)
    if (push.object_kind or push.event_name) not in ("push", "tag_push", "repository_update"):
        return []
    here = push.project
    return _news((here.git_http_url, here.git_ssh_url, here.web_url), push.ref, here.default_branch)


class _Ref(Struct, kw_only=True):
    type: str = ""
    name: str = ""
    id: str = ""


class _CloudChange(Struct, kw_only=True):
    new: _Ref | None = None
    old: _Ref | None = None


class _CloudChanges(Struct, kw_only=True):
    changes: tuple[_CloudChange, ...] = ()


class _CloudRepository(Struct, kw_only=True):
    full_name: str = ""


class _CloudPush(Struct, kw_only=True):
    push: _CloudChanges = field(default_factory=_CloudChanges)
    repository: _CloudRepository = field(default_factory=_CloudRepository)


def bitbucket_cloud(event: str, delivery: Delivery) -> list[News]:
    """The payload has no address to clone from; it follows from the name."""
    if event != "repo:push":
        return []
    push = delivery.read(_CloudPush)
    name = push.repository.full_name
    urls = (f"https://bitbucket.org/{name}.git", f"git@bitbucket.org:{name}.git") if name else ()
    refs = [change.new or change.old for change in push.push.changes]
    names = [_full_ref(ref.type == "tag", ref.name) for ref in refs if ref is not None and ref.name]
    return [news for ref in names or [""] for news in _news(urls, ref)]


class _Link(Struct, kw_only=True):
    href: str = ""


class _Links(Struct, kw_only=True):
    clone: tuple[_Link, ...] = ()


class _ServerRepository(Struct, kw_only=True):
    links: _Links = field(default_factory=_Links)


class _ServerChange(Struct, kw_only=True):
    ref: _Ref = field(default_factory=_Ref)


class _ServerPush(Struct, kw_only=True):
    changes: tuple[_ServerChange, ...] = ()
    repository: _ServerRepository = field(default_factory=_ServerRepository)


def bitbucket_server(event: str, delivery: Delivery) -> list[News]:
    if event != "repo:refs_changed":
        return []
    push = delivery.read(_ServerPush)
    urls = tuple(link.href for link in push.repository.links.clone)
    return [news for ref in [change.ref.id for change in push.changes] or [""] for news in _news(urls, ref)]


class _RefUpdate(Struct, kw_only=True):
    name: str = ""


class _AzureRepository(Struct, kw_only=True, rename="camel"):
    remote_url: str = ""
    ssh_url: str = ""
    web_url: str = ""
    default_branch: str = ""


class _AzureResource(Struct, kw_only=True, rename="camel"):
    ref_updates: tuple[_RefUpdate, ...] = ()
    repository: _AzureRepository = field(default_factory=_AzureRepository)


class _AzurePush(Struct, kw_only=True, rename="camel"):
    event_type: str = ""
    resource: _AzureResource = field(default_factory=_AzureResource)


def azure_devops(delivery: Delivery) -> list[News]:
    """One repository has several addresses: with and without the user, the old host, and SSH."""
    push = delivery.read(_AzurePush)
    if push.event_type != "git.push":
        return []
    here = push.resource.repository
    urls = (here.remote_url, here.ssh_url, here.web_url, *_azure_spellings(here.remote_url))
    branch = here.default_branch.removeprefix("refs/heads/")
    refs = [update.name for update in push.resource.ref_updates] or [""]
    return [news for ref in refs for news in _news(urls, ref, branch)]


def _azure_spellings(url: str) -> tuple[str, ...]:
    """`https://dev.azure.com/ORG/PROJECT/_git/NAME` and its like."""
    path = url.partition("://")[2]
    host, _, rest = path.rpartition("@")[2].partition("/")
    parts = rest.split("/")
    if host.endswith(_LEGACY_HOST):
        parts = [host.removesuffix(_LEGACY_HOST), *parts]
    elif host != "dev.azure.com":
        return ()
    if len(parts) != 4 or parts[2] != "_git":
        return ()
    org, project, _, name = parts
    return (
        f"https://dev.azure.com/{org}/{project}/_git/{name}",
        f"https://{org}{_LEGACY_HOST}/{project}/_git/{name}",
        f"git@ssh.dev.azure.com:v3/{org}/{project}/{name}",
    )


class _Generic(Struct, kw_only=True, forbid_unknown_fields=True):
    url: str
    ref: str = ""
    id: str = ""


def generic(delivery: Delivery) -> list[News]:
    """Our own small form: `{"url": ..., "ref": "refs/heads/main"}`; an `oci://` address is an artifact, its `ref` a tag.

    With an `id`, which is signed as all of the body, it is taken once.
    """
    told = delivery.read(_Generic)
    if told.url.startswith("oci://"):
        return [News(kind=NewsKind.OCI, urls=(told.url,), ref=told.ref)]
    return _news((told.url,), told.ref)


def _news(urls: Iterable[str], ref: str, default_branch: str = "") -> list[News]:
    known = tuple(dict.fromkeys(url for url in urls if url))
    return [News(kind=NewsKind.GIT, urls=known, ref=ref, default_branch=default_branch)] if known else []


def _full_ref(is_tag: bool, name: str) -> str:
    return f"refs/{'tags' if is_tag else 'heads'}/{name}"
