"""What leaves the process has no secret in it; what people need to read stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.sync.concealing import conceal_words, concealed, concealed_json, speaks_of_a_secret

KEY = b"k" * 32
CANARY = "canary-7Hq2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "obj",
    [
        {"apiVersion": "v1", "kind": "Secret", "data": {"a": CANARY}, "stringData": {"b": CANARY}},
        {"kind": "ConfigMap", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}}},
        {"kind": "HelmRelease", "spec": {"values": {"auth": {"password": CANARY}, "redis": {"authToken": CANARY}}}},
        {"kind": "HelmRelease", "spec": {"values": {"credentials": {"user": CANARY, "deep": [{"x": CANARY}]}}}},
        {"kind": "Pod", "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": CANARY}]}]}},
        {"kind": "Pod", "spec": {"containers": [{"args": [f"--password={CANARY}", f"--api-token={CANARY}"]}]}},
        {"kind": "Pod", "spec": {"containers": [{"args": [f"postgres://user:{CANARY}@host/db"]}]}},
        {"kind": "Application", "spec": {"source": {"helm": {"parameters": [{"name": "db.password", "value": CANARY}]}}}},
        {"kind": "Application", "spec": {"source": {"helm": {"values": f"db:\n  password: {CANARY}\n  x: 1\n"}}}},
        {"kind": "Kustomization", "spec": {"postBuild": {"substitute": {"API_KEY": CANARY}}}},
        {"kind": "ConfigMap", "data": {"id_rsa": PEM, "app.ini": f"secret = '{CANARY} with spaces'"}},
        {"kind": "ConfigMap", "data": {"x": f'{{"client_secret": "{CANARY}"}}'}},
    ],
)  # fmt: skip
def test_a_secret_is_masked_wherever_it_is_known_to_stand(obj: dict[str, Any]) -> None:
    assert CANARY in json.dumps(obj)
    assert CANARY not in json.dumps(concealed(obj, KEY))
    assert CANARY not in concealed_json(json.dumps(obj), KEY)


@pytest.mark.parametrize(
    "obj",
    [
        {"kind": "Pod", "spec": {"imagePullSecrets": [{"name": "registry"}], "volumes": [{"secret": {"secretName": "tls"}}]}},
        {"kind": "GitRepository", "spec": {"secretRef": {"name": "git"}, "url": "https://git.example.com/a.git"}},
        {"kind": "Pod", "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]},
        {"kind": "Deployment", "spec": {"replicas": 3, "automountServiceAccountToken": False, "image": "web:1"}},
        {"kind": "Deployment", "spec": {"compass": "north", "monkey": "x", "tokenExpirationSeconds": 3600}},
    ],
)  # fmt: skip
def test_what_only_points_at_a_secret_stays_readable(obj: dict[str, Any]) -> None:
    assert concealed(obj, KEY) == obj


@pytest.mark.parametrize(
    "text",
    [
        f"fatal: https://robot:{CANARY}@git.example.com/a.git refused",
        f"header Authorization: Bearer {CANARY}",
        f"used Basic {'Y2FuYXJ5'}{CANARY.replace('-', '')}",
        f"key {PEM} is wrong",
        f"https://hooks.example.com/?token={CANARY}&x=1",
        f'{{"password":"{CANARY}"}} is refused',
    ],
)
def test_words_lose_what_is_a_secret_by_its_form_or_name(text: str) -> None:
    said = conceal_words(text, KEY)
    assert CANARY not in said
    assert CANARY.replace("-", "") not in said


def test_tokens_are_known_by_their_form() -> None:
    for token in (JWT, "ghp_" + "a" * 36, "glpat-" + "b" * 20, "AKIA" + "C" * 16):
        assert token not in conceal_words(f"it was {token}, they say", KEY)


def test_what_is_masked_stays_as_it_is_and_a_change_shows() -> None:
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"password": "b25l"}}
    once = concealed(obj, KEY)
    assert concealed(once, KEY)["data"] == once["data"] or concealed(once, KEY)["data"]["password"].startswith("hmac:")
    other = concealed(obj | {"data": {"password": "dHdv"}}, KEY)
    assert other["data"]["password"] != once["data"]["password"]
    assert once["metadata"]["name"] == "x"


def test_ordinary_words_are_left_alone() -> None:
    said = "Deployment/shop/web: spec.replicas: 2 -> 3 (main@sha1:1a2b3c4): secret store is missing, token expired"
    assert conceal_words(said, KEY) == said


@given(
    name=st.sampled_from(["password", "dbPassword", "API_TOKEN", "clientSecret", "private-key", "auth.password"]),
    value=st.text(min_size=8).filter(lambda text: not text.startswith("hmac:")),
    depth=st.integers(0, 4),
)
def test_a_value_under_a_name_that_speaks_of_a_secret_never_stays(name: str, value: str, depth: int) -> None:
    tree: Any = {name: value}
    for level in range(depth):
        tree = {f"level{level}": [tree]}
    assert speaks_of_a_secret(name)
    assert json.dumps(value)[1:-1] not in json.dumps(concealed(tree, KEY))
