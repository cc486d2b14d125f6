"""Argo CD's small text forms: image overrides, sync options, marks on objects, and which Secret a URL finds."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from trueup.dialects.argocd.images import parse_image
from trueup.dialects.argocd.marks import OPT_OUT, unsupported_mark
from trueup.dialects.argocd.options import read_options
from trueup.dialects.argocd.rendering import KUSTOMIZE_VERSION
from trueup.dialects.argocd.repositories import host_of, match_repository_secrets
from trueup.dialects.flux.marks import unsupported_mark as flux_unsupported_mark
from trueup.model.rendering import ImageOverride


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web:1.2", ImageOverride(name="web", new_tag="1.2")),
        ("web@sha256:abc", ImageOverride(name="web", digest="sha256:abc")),
        ("web:1.2@sha256:abc", ImageOverride(name="web", new_tag="1.2", digest="sha256:abc")),
        ("web=new", ImageOverride(name="web", new_name="new")),
        ("web=registry:5000/new", ImageOverride(name="web", new_name="registry:5000/new")),
        ("web=registry:5000/new:2", ImageOverride(name="web", new_name="registry:5000/new", new_tag="2")),
        ("registry:5000/web:2", ImageOverride(name="registry:5000/web", new_tag="2")),
        ("web=*:2", ImageOverride(name="web", new_name="*", new_tag="2")),
        ("web=new@sha256:abc", ImageOverride(name="web", new_name="new", digest="sha256:abc")),
        ("web", None),
        ("registry:5000/web", None),
        ("=new", None),
        ("web=", None),
        ("web@", None),
        ("web@a@b", None),
        ("", None),
    ],
)
def test_an_image_text_is_read_as_kustomize_reads_it(text: str, image: ImageOverride | None) -> None:
    assert parse_image(text) == image


def test_options_are_read_without_regard_to_case_and_spaces() -> None:
    options = read_options([" prune=FALSE ", "createnamespace = true", "PrunePropagationPolicy=Orphan", ""])
    assert (options.never_prune, options.create_namespace, options.propagation) == (True, True, "Orphan")
    assert options.unbuilt == ()


def test_options_that_nobody_knows_are_kept_as_written() -> None:
    assert read_options(["Nonsense=1", "PrunePropagationPolicy=sideways"]).unbuilt == (
        "Nonsense=1",
        "PrunePropagationPolicy=sideways",
    )


@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        ({}, None),
        ({"helm.sh/hook": "crd-install"}, None),
        ({"argocd.argoproj.io/sync-wave": "-1"}, None),
        ({"argocd.argoproj.io/sync-options": "Prune=false, Delete=false,Force=true,ServerSideApply=true"}, None),
        ({"argocd.argoproj.io/sync-options": "Prune=false,Replace=true"}, None),
        ({"argocd.argoproj.io/sync-options": "Prune=false,Replaced=true"}, "Replaced=true"),
        ({"argocd.argoproj.io/sync-options": "Prune=confirm,PruneLast=true"}, None),
        ({"argocd.argoproj.io/sync-options": "Delete=confirm"}, None),
        ({"argocd.argoproj.io/sync-options": "Validate=false"}, None),
        ({"argocd.argoproj.io/compare-options": "IgnoreExtraneous, ServerSideDiff=true"}, None),
        ({"argocd.argoproj.io/compare-options": "IncludeMutationWebhook=true"}, "IncludeMutationWebhook=true"),
        ({"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}, None),
        ({"argocd.argoproj.io/ignore-healthcheck": "true"}, None),
        ({"argocd.argoproj.io/ignore-restart-policy": "true"}, "ignore-restart-policy"),
        ({"argocd.argoproj.io/tracking-id": "other:apps/Deployment:a/b", "link.argocd.argoproj.io/docs": "x"}, None),
        ({"helm.sh/resource-policy": "keep"}, None),
    ],
)
def test_a_mark_that_is_not_built_is_named(annotations: dict[str, str], named: str | None) -> None:
    found = unsupported_mark({"metadata": {"name": "web", "annotations": annotations}})
    assert (found is None) if named is None else (found is not None and named in found)


def test_every_built_option_of_an_object_is_one_of_the_opt_outs() -> None:
    pairs = (*OPT_OUT.never_prune, *OPT_OUT.never_delete, *OPT_OUT.force, *OPT_OUT.replace)
    for key, value in pairs:
        assert unsupported_mark({"metadata": {"annotations": {key: value}}}) is None


def test_an_object_encrypted_with_sops_is_named() -> None:
    assert flux_unsupported_mark({"kind": "Secret", "sops": {"mac": "ENC[...]", "version": "3"}})
    assert (
        flux_unsupported_mark({"kind": "Secret", "metadata": {"annotations": {"argocd.argoproj.io/hook": "PreSync"}}})
        is None
    )


def secret(name: str, kind: str, **fields: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "argocd", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in fields.items()},
    }


ORG = secret("org", "repo-creds", url="https://example.com/org", password="p")
ORG_DEEP = secret("org-deep", "repo-creds", url="https://example.com/org/team", password="p")
EXACT = secret("exact", "repository", url="https://Example.com/org/team/apps.git", password="p", type="git")
BARE = secret("bare", "repository", url="https://example.com/org/plain")
OTHERS = secret("others", "repository", url="https://example.com/org/team/apps", password="p", project="payments")
HELM = secret("helm", "repository", url="https://example.com/org/chart", type="helm", password="p")
SSH = secret("ssh", "repository", url="git@example.com:org/apps.git", sshPrivateKey="k")
ALL = [ORG, ORG_DEEP, EXACT, BARE, OTHERS, HELM, SSH]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://example.com/org/team/apps", "exact"),
        ("https://example.com/org/team/apps.git/", "exact"),
        ("https://example.com/org/team/other", "org-deep"),
        ("https://example.com/org/x", "org"),
        ("https://example.com/org/plain.git", "org"),
        ("https://example.com/org/chart", "org"),
        ("ssh://git@example.com/org/apps", "ssh"),
        ("https://elsewhere.example/a", None),
    ],
)
def test_a_url_finds_the_secret_that_fits_best(url: str, found: str | None) -> None:
    refs = match_repository_secrets(url, ALL)
    assert (refs[-1].name if refs else None) == found


@pytest.mark.parametrize("own", ["https://example.com/", "https://example.com", "https://example", "https://"])
@pytest.mark.parametrize(
    "url", ["https://example.com.elsewhere.com/a", "https://example.community/a", "https://example.com:8443/a"]
)
def test_a_template_is_for_no_host_whose_name_only_begins_like_its_own(own: str, url: str) -> None:
    template = secret("template", "repo-creds", url=own, password="p")
    assert match_repository_secrets(url, [template]) == ()
    found = match_repository_secrets("https://example.com/a", [template])
    assert bool(found) is own.startswith("https://example.com")


def test_a_repository_without_credentials_is_still_found_when_no_template_fits() -> None:
    (ref,) = match_repository_secrets("https://example.com/org/plain", [BARE])
    assert (ref.kind, ref.namespace, ref.name) == ("Secret", "argocd", "bare")


def test_a_projects_own_secret_goes_first() -> None:
    (ref,) = match_repository_secrets("https://example.com/org/team/apps", ALL, project="payments")
    assert ref.name == "others"


def test_a_repository_without_credentials_keeps_its_own_words_and_takes_those_of_the_template() -> None:
    refs = match_repository_secrets("https://example.com/org/plain", ALL)
    assert [ref.name for ref in refs] == ["bare", "org"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@Example.com:org/apps.git", ("ssh", "example.com")),
        ("ssh://git@example.com:2222/a", ("ssh", "example.com")),
        ("https://Example.com:8443/a", ("https", "example.com")),
        ("file:///srv/git", None),
        ("nonsense", None),
    ],
)
def test_the_host_decides_which_of_argo_cds_lists_counts(url: str, expected: tuple[str, str] | None) -> None:
    assert host_of(url) == expected


def test_the_version_of_kustomize_is_that_of_the_command_that_builds_are_compared_with() -> None:
    modules = (Path(__file__).parents[2] / "tools" / "kustomize" / "go.mod").read_text(encoding="utf-8")
    assert f"sigs.k8s.io/kustomize/kustomize/v5 {KUSTOMIZE_VERSION} " in modules
