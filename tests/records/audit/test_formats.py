"""What others read of an entry is one line, whatever stands in it, and means what the entry says."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records.audit.kit import entry
from trueup.records.audit.chain import Head, Sealed, seal
from trueup.records.audit.formats import Form, cef_line, json_line, syslog_message

HOSTILE = st.text(alphabet=st.sampled_from("a|=\\\n\r\t \x00\x1b\x85\u2028\u2029\u202eก\"'<>[]{}%"), max_size=30)


def sealed(**fields: object) -> Sealed:
    return seal(entry(1, **fields), "one", Head())


def cef_parts(line: str) -> tuple[list[str], dict[str, str]]:
    """As ArcSight's rules read it: a head of seven fields, then `key=value` up to the next `key=`."""
    head = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(head) == 8, line
    extension = head.pop()
    found: dict[str, str] = {}
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", extension))
    for number, key in enumerate(keys):
        end = keys[number + 1].start() if number + 1 < len(keys) else len(extension)
        value = extension[key.end() : end]
        assert not re.search(r"(?<!\\)(?:\\\\)*=", value), value
        found[key[1]] = re.sub(r"\\(.)", lambda escaped: {"n": "\n", "r": "\r"}.get(escaped[1], escaped[1]), value)
    return head, found


def test_a_line_of_cef_has_its_head_and_its_extension() -> None:
    head, said = cef_parts(cef_line(sealed(message="because a=b|c\\d\nnext")).decode())
    assert head[:3] == ["CEF:0", "Trueup", "Trueup"]
    assert head[4:] == ["apps.sync", "apps.sync Kustomization/shop/web", "3"]
    assert said["suser"] == "somchai"
    assert said["src"] == "192.0.2.7"
    assert said["outcome"] == "success"
    assert said["msg"] == "because a=b|c\\d\nnext"
    assert (said["cs1Label"], said["cs1"]) == ("project", "shop")
    assert said["externalId"] == "one:1"


def test_an_address_that_is_none_is_not_given_as_one() -> None:
    assert "src=" not in cef_line(sealed(address="10.0.0.1 suser=root")).decode()


@given(actor=HOSTILE, message=HOSTILE, action=HOSTILE, target=HOSTILE, after=HOSTILE)
def test_nothing_in_an_entry_ends_its_line_or_adds_a_field(**fields: str) -> None:
    one = sealed(**fields)
    plain = set(cef_parts(cef_line(sealed(**dict.fromkeys(fields, "x"))).decode())[1])
    for line in (json_line(one), cef_line(one)):
        assert len(line.decode().splitlines()) == 1
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", line.decode())
    _, said = cef_parts(cef_line(one).decode())
    assert set(said) <= plain
    assert json.loads(json_line(one))["message"] == one.message


@given(host=HOSTILE, action=HOSTILE, message=HOSTILE)
def test_a_syslog_message_keeps_its_form(host: str, action: str, message: str) -> None:
    text = syslog_message(sealed(action=action, message=message), Form.JSON, host, "7").decode()
    stamp = r"2026-01-31T12:00:01\.123456Z"
    found = re.fullmatch(
        rf"<109>1 {stamp} [!-~]{{1,255}} trueup 7 [!-~]{{1,32}} \[meta sequenceId=\"1\"\] \ufeff(\{{.*\}})", text
    )
    assert found, text
    assert json.loads(found[1])["message"] == message.replace("\0", "\ufffd")


@pytest.mark.parametrize(("result", "priority"), [("succeeded", 109), ("refused", 108), ("failed", 107)])
def test_what_was_refused_or_failed_weighs_more(result: str, priority: int) -> None:
    assert syslog_message(sealed(result=result), Form.CEF, "h", "1").startswith(b"<%d>1 " % priority)


def test_a_datagram_is_never_larger_than_receivers_take() -> None:
    one = sealed(before="x" * 60_000, after="y" * 60_000, message="z" * 60_000)
    assert len(syslog_message(one, Form.JSON, "h", "1")) > 100_000
    assert len(syslog_message(one, Form.JSON, "h", "1", largest=2048)) <= 2048
