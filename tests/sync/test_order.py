"""Stages wait for each other, ranks follow each other, and the order of the input plays no part."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sync.world import ref
from trueup.model.app import KindOrder
from trueup.model.refs import ObjectRef
from trueup.sync.order import groups

CRD = ref("CustomResourceDefinition", "widgets.example.com", "", "apiextensions.k8s.io")
NAMESPACE = ref("Namespace", "shop", "")
ROLE = ref("ClusterRole", "reader", "", "rbac.authorization.k8s.io")
STORAGE = ref("StorageClass", "fast", "", "storage.k8s.io")
WEB = ref("Deployment", "web", group="apps")
API = ref("Deployment", "api", group="apps")
SERVICE = ref("Service", "web")
WIDGET = ref("Widget", "w", group="example.com")
INGRESS = ref("Ingress", "web", group="networking.k8s.io")
HOOK = ref("ValidatingWebhookConfiguration", "check", "", "admissionregistration.k8s.io")
ALL = [CRD, NAMESPACE, ROLE, STORAGE, WEB, API, SERVICE, WIDGET, INGRESS, HOOK]


def grouped(refs: list[ObjectRef], order: KindOrder, reverse: bool = False) -> list[list[list[str]]]:
    found = groups(refs, lambda item: item, order, reverse=reverse)
    return [[[item.kind + "/" + item.name for item in rank] for rank in stage] for stage in found]


def test_definitions_then_classes_then_the_rest_with_webhooks_last() -> None:
    assert grouped(ALL, KindOrder.STAGED) == [
        [["CustomResourceDefinition/widgets.example.com"], ["Namespace/shop"], ["ClusterRole/reader"]],
        [["StorageClass/fast"]],
        [
            ["Service/web"],
            ["Deployment/api", "Deployment/web"],
            ["Widget/w", "Ingress/web"],
            ["ValidatingWebhookConfiguration/check"],
        ],
    ]


def test_argo_cd_has_its_own_list_after_namespaces_and_definitions() -> None:
    assert grouped(ALL, KindOrder.ARGOCD) == [
        [["Namespace/shop"], ["CustomResourceDefinition/widgets.example.com"]],
        [
            ["StorageClass/fast"],
            ["ClusterRole/reader"],
            ["Service/web"],
            ["Deployment/api", "Deployment/web"],
            ["Ingress/web"],
            ["ValidatingWebhookConfiguration/check", "Widget/w"],
        ],
    ]


@pytest.mark.parametrize("order", list(KindOrder))
def test_deletion_is_the_exact_reverse(order: KindOrder) -> None:
    def flat(reverse: bool) -> list[ObjectRef]:
        found = groups(ALL, lambda item: item, order, reverse=reverse)
        return [item for stage in found for rank in stage for item in rank]

    assert flat(True) == list(reversed(flat(False)))


@given(st.randoms(), st.sampled_from(list(KindOrder)))
def test_the_order_of_the_input_plays_no_part(chance: random.Random, order: KindOrder) -> None:
    shuffled = list(ALL)
    chance.shuffle(shuffled)

    assert grouped(shuffled, order) == grouped(ALL, order)
