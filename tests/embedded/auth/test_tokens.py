"""Service account tokens: whole, ours, and in time."""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest

from trueup.embedded.auth.tokens import AUDIENCE, BadToken, Reference, Tokens

RUNNER = Reference("runner", "uid-1")


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens.in_folder(tmp_path)


def test_a_token_says_whose_it_is_and_how_long(tokens: Tokens, tmp_path: Path) -> None:
    token, end = tokens.issue("shop", RUNNER, 600)
    claims, _ = Tokens.in_folder(tmp_path).verify(token)
    assert claims.sub == "system:serviceaccount:shop:runner"
    assert (claims.aud, claims.kubernetes.namespace, claims.kubernetes.serviceaccount) == ([AUDIENCE], "shop", RUNNER)
    assert abs(end - time.time() - 600) < 5


def test_a_changed_token_is_worth_nothing(tokens: Tokens) -> None:
    head, payload, signature = tokens.issue("shop", RUNNER, 600)[0].split(".")
    claims = json.loads(urlsafe_b64decode(payload + "=="))
    claims["sub"] = "system:serviceaccount:kube-system:admin"
    forged = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for token in (
        f"{head}.{forged}.{signature}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        "",
        "a.b",
        "a.b.c",
        f"{head}.{payload}.",
    ):
        with pytest.raises(BadToken):
            tokens.verify(token)


def test_another_clusters_token_is_worth_nothing(tokens: Tokens, tmp_path: Path) -> None:
    other = Tokens.in_folder(tmp_path / "other")
    with pytest.raises(BadToken):
        tokens.verify(other.issue("shop", RUNNER, 600)[0])


def test_a_token_ends(tokens: Tokens) -> None:
    with pytest.raises(BadToken, match="expired"):
        tokens.verify(tokens.issue("shop", RUNNER, -61)[0])


def test_a_token_without_a_signature_algorithm_is_refused(tokens: Tokens) -> None:
    _, payload, _ = tokens.issue("shop", RUNNER, 600)[0].split(".")
    none = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    with pytest.raises(BadToken):
        tokens.verify(f"{none}.{payload}.")
