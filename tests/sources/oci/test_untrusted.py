"""Whatever a registry, a pusher or a Secret says: it is understood, or refused by an error of ours."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.model.errors import InvalidInput, NotBuiltYet, TrueupError
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.oci.address import check_tag, parse_address
from trueup.sources.oci.authorization import read_challenges
from trueup.sources.oci.choice import choose_expressed, choose_tag
from trueup.sources.oci.cosign import _envelope, is_about, read_public_keys, states
from trueup.sources.oci.credentials import find_login, read_config
from trueup.sources.oci.errors import error_codes
from trueup.sources.oci.manifest import digest_of, read_manifest

DEEP = b'{"x":' + b"[" * 100_000
HERE = parse_address("oci://reg.example/team/web")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["layers", "manifests", "digest", "size", "mediaType", "annotations", "config", "errors", "code", "auths", "auth",
         "critical", "image", "payload", "dsseEnvelope", "signatures", "subject", "reg.example", "identitytoken"]
    ), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(DEEP)


@given(BODIES)
def test_any_manifest_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(TrueupError):
        manifest = read_manifest(body, wanted="", what="it")
        assert manifest.digest == digest_of(body)


@given(BODIES)
def test_any_error_body_signature_and_bundle_is_read_or_passed_over(body: bytes) -> None:
    assert len(error_codes(body)) <= 3
    assert not is_about(body, "sha256:" + "0" * 64)
    assert not states(body, "sha256:" + "0" * 64)
    _envelope(body)


@given(BODIES, st.sampled_from([".dockerconfigjson", ".dockercfg"]))
def test_any_pull_secret_is_read_or_refused(body: bytes, key: str) -> None:
    with contextlib.suppress(InvalidInput, NotBuiltYet):
        find_login(HERE, read_config(body, key), key)


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_challenge_is_read_or_passed_over(headers: list[str]) -> None:
    assert all(challenge.scheme in ("basic", "bearer") for challenge in read_challenges(headers))


@given(st.text(max_size=60).map(lambda rest: f"oci://{rest}") | st.text(max_size=20))
def test_any_address_is_read_to_one_spelling_or_refused(url: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert parse_address(str(parse_address(url))) == parse_address(url)


@given(st.lists(st.text(max_size=12), max_size=6), st.sampled_from([">=1", "*", "1.x", "~1.2", ">=0-0"]))
def test_a_chosen_tag_is_one_of_those_there_are(tags: list[str], wanted: str) -> None:
    for choose in (lambda: choose_tag(tags, wanted, "", "it"), lambda: choose_expressed(tags, wanted, "it")):
        with contextlib.suppress(TrueupError):
            assert choose() in tags


@given(st.text(max_size=140))
def test_a_tag_that_is_accepted_changes_no_url(tag: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert not set(check_tag(tag, "ref.tag")) & set("/?#%@: \r\n")


@given(st.dictionaries(st.sampled_from(["a.pub", "b.pub", "c"]), st.binary(max_size=100)))
def test_any_keys_are_read_or_refused(data: dict[str, bytes]) -> None:
    with contextlib.suppress(InvalidInput):
        read_public_keys(data)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", DEEP, b'{"a": "x"}', b"1"])
def test_json_that_is_none_is_one_kind_of_error(text: bytes) -> None:
    with pytest.raises(NotReadable):
        read_json(text, dict[str, Any] if text == DEEP else dict[str, int])
