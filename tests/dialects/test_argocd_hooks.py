"""Which annotations make an object a hook, of which phases, with which delete policies."""

from __future__ import annotations

import pytest

from trueup.dialects.argocd.hooks import read_hook
from trueup.model.hook import DeletePolicy, Hook, Phase

ARGO, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"
PRE, SYNC, POST, FAIL = Phase.PRE_SYNC, Phase.SYNC, Phase.POST_SYNC, Phase.SYNC_FAIL


def hook_of(**annotations: str) -> Hook | None:
    names = {"argo": ARGO, "helm": HELM, "policy": f"{ARGO}-delete-policy", "helm_policy": f"{HELM}-delete-policy"}
    return read_hook({"metadata": {"annotations": {names[key]: value for key, value in annotations.items()}}})


@pytest.mark.parametrize(
    ("annotations", "phases"),
    [
        ({"argo": "PreSync"}, {PRE}),
        ({"argo": "PreSync, PostSync"}, {PRE, POST}),
        ({"argo": "Sync"}, {SYNC}),
        ({"argo": "SyncFail,Skip"}, {FAIL}),
        ({"helm": "pre-install"}, {PRE}),
        ({"helm": "pre-install,pre-upgrade"}, {PRE}),
        ({"helm": "post-upgrade"}, {POST}),
        ({"helm": "pre-install,post-install"}, {PRE, POST}),
        ({"helm": "pre-delete"}, {Phase.PRE_DELETE}),
        ({"helm": "post-delete"}, {Phase.POST_DELETE}),
        ({"helm": "pre-install,crd-install"}, {PRE}),
        ({"argo": "PostSync", "helm": "pre-install"}, {POST}),
        ({"helm": "test"}, set()),
        ({"helm": "test-success"}, set()),
        ({"helm": "pre-rollback"}, set()),
    ],
)
def test_these_are_hooks(annotations: dict[str, str], phases: set[Phase]) -> None:
    found = hook_of(**annotations)

    assert found is not None
    assert found.phases == phases
    assert found.unknown == ()


@pytest.mark.parametrize(
    "annotations", [{}, {"helm": "crd-install"}, {"argo": "Skip"}, {"argo": "Skip", "helm": "test"}]
)
def test_these_are_objects_to_be_kept(annotations: dict[str, str]) -> None:
    assert hook_of(**annotations) is None


@pytest.mark.parametrize(
    ("annotations", "phases", "unknown"),
    [
        ({"argo": "presync"}, set(), ("presync",)),
        ({"argo": "PreSync,Presync"}, {PRE}, ("Presync",)),
        ({"argo": "Presync", "helm": "pre-install"}, {PRE}, ("Presync",)),
        ({"helm": "pre-instal"}, set(), ("pre-instal",)),
        ({"argo": ""}, set(), ()),
    ],
)
def test_a_type_that_there_is_not_is_kept_to_be_told(
    annotations: dict[str, str], phases: set[Phase], unknown: tuple[str, ...]
) -> None:
    assert hook_of(**annotations) == Hook(frozenset(phases), unknown=unknown)


@pytest.mark.parametrize(
    ("annotations", "policies"),
    [
        ({}, {DeletePolicy.BEFORE_CREATION}),
        ({"policy": "HookSucceeded"}, {DeletePolicy.SUCCEEDED}),
        ({"policy": "HookSucceeded, HookFailed"}, {DeletePolicy.SUCCEEDED, DeletePolicy.FAILED}),
        (
            {"helm_policy": "before-hook-creation,hook-succeeded"},
            {DeletePolicy.BEFORE_CREATION, DeletePolicy.SUCCEEDED},
        ),
        ({"policy": "HookFailed", "helm_policy": "hook-succeeded"}, {DeletePolicy.FAILED, DeletePolicy.SUCCEEDED}),
        ({"policy": "Never"}, {DeletePolicy.BEFORE_CREATION}),
    ],
)
def test_policies_of_both_families_count_together(annotations: dict[str, str], policies: set[DeletePolicy]) -> None:
    found = hook_of(argo="PreSync", **annotations)

    assert found is not None
    assert found.policies == policies
