"""Whom news concern: which sources follow what is said to have moved. Pure.

A hint too many costs one look at the remote, a hint too few an interval: where it cannot be told, the source is concerned.
"""

from __future__ import annotations

import re

from trueup.model.news import News, NewsKind
from trueup.model.source import (
    GitReference,
    GitSource,
    HelmChartSource,
    HelmRepositorySource,
    OciReference,
    OciSource,
    Source,
)
from trueup.sources.insteadof import Rewrites, repository_keys, same_repository

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_RANGE = re.compile(r"[\s<>=~^*|,]|(^|\.)[xX](\.|$)")


def is_concerned(source: Source, news: News, rewrites: Rewrites) -> bool:
    match source:
        case GitSource():
            return (
                news.kind is NewsKind.GIT
                and _may_be(source.url, news, rewrites)
                and any(same_repository(source.url, url, rewrites) for url in news.urls)
                and _follows(source.reference, news)
            )
        case OciSource():
            return news.kind is NewsKind.OCI and _is_same(source.url, news) and _follows_tag(source.reference, news.ref)
        case HelmChartSource(origin=HelmRepositorySource(oci=True, url=url), chart=chart):
            return news.kind is NewsKind.OCI and _is_same(f"{url.rstrip('/')}/{chart}", news)
        case HelmRepositorySource(url=url):
            return news.kind is NewsKind.GIT and _address(url) in {_address(other) for other in news.urls}
        case _:
            return False


def _may_be(url: str, news: News, rewrites: Rewrites) -> bool:
    """One look-up for most sources, which are of other repositories."""
    own = repository_keys(url, rewrites)
    return any(not own.isdisjoint(repository_keys(other, rewrites)) for other in news.urls)


def _follows(reference: GitReference, news: News) -> bool:
    """By Flux's precedence commit > name > semver > tag > branch."""
    if not news.ref:
        return True
    if reference.commit:
        return False
    if reference.name:
        return reference.name == news.ref
    if reference.semver:
        return news.ref.startswith(_TAGS)
    if reference.tag:
        return news.ref == _TAGS + reference.tag
    if reference.branch:
        return news.ref == _HEADS + reference.branch
    if reference.tag_prefix and news.ref.startswith(_TAGS + reference.tag_prefix):
        return True  # by what follows it may be in the range
    return _follows_expression(reference.expression or "HEAD", news)


def _follows_expression(expression: str, news: News) -> bool:
    """Argo CD's targetRevision: a branch, a tag, a range of tags, a commit or HEAD."""
    if expression == "HEAD":
        return not news.default_branch or news.ref == _HEADS + news.default_branch
    if expression.startswith("refs/"):
        return expression == news.ref
    if news.ref.startswith(_TAGS) and _RANGE.search(expression):
        return True
    return news.ref in (_HEADS + expression, _TAGS + expression)


def _follows_tag(reference: OciReference, tag: str) -> bool:
    if not tag:
        return True
    if reference.digest:
        return False
    if reference.semver or _RANGE.search(reference.expression):
        return True
    return (reference.tag or reference.expression or "latest") == tag


def _is_same(url: str, news: News) -> bool:
    return _address(url) in {_address(other) for other in news.urls}


def _address(url: str) -> str:
    """Without scheme, trailing slash and case; Docker Hub's names are told by its own hosts."""
    text = re.sub(r"^[a-z+]+://", "", url.strip().lower()).rstrip("/")
    host, _, path = text.partition("/")
    if host in ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"):
        host = "docker.io"
        path = path if "/" in path else f"library/{path}"
    return f"{host}/{path}"
