"""An entry as others read it: a line of JSON, a line of CEF, a syslog message. Pure, and nothing in an entry can end a line.

CEF: ArcSight Common Event Format, version 0; `|` and `\\` are escaped in its head, `=` and `\\` and line ends in its
extension. Syslog: RFC 5424, with the facility "log audit".
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from trueup.records.audit.chain import Sealed
from trueup.records.audit.entry import AuditResult
from trueup.version import __version__

_ENCODE = msgspec.json.Encoder().encode
_FACILITY = 13
_SEVERITIES = {AuditResult.SUCCEEDED: 5, AuditResult.REFUSED: 4, AuditResult.FAILED: 3}
"""Of syslog: notice, warning, error."""
_CEF_SEVERITIES = {AuditResult.SUCCEEDED: "3", AuditResult.REFUSED: "6", AuditResult.FAILED: "7"}
_OUTCOMES = {AuditResult.SUCCEEDED: "success", AuditResult.REFUSED: "failure", AuditResult.FAILED: "failure"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TRICKY = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST_CEF = {"msg": 1023, "suser": 1023, "reason": 1023}
_BOM = b"\xef\xbb\xbf"


class Form(StrEnum):
    JSON = "json"
    CEF = "cef"


def data_of(entry: Sealed) -> dict[str, Any]:
    """What `-o json`, a line of JSON and a webhook say; hashes in hex, so that whoever keeps it can verify it too."""
    return {
        "chain": entry.chain,
        "sequence": entry.sequence,
        "at": _timestamp(entry.at),
        "actor": entry.actor,
        "via": entry.via,
        "address": entry.address,
        "action": entry.action,
        "target": entry.target,
        "project": entry.project,
        "message": entry.message,
        "before": entry.before,
        "after": entry.after,
        "revision": entry.revision,
        "result": entry.result,
        "reason": entry.reason,
        "requestId": entry.request_id,
        "replica": entry.replica,
        "previous": entry.previous.hex(),
        "hash": entry.hash.hex(),
    }


def json_line(entry: Sealed) -> bytes:
    """Without its line's end. What some readers take for one, or what turns the direction of a text, is escaped too."""
    text = _ENCODE(data_of(entry)).decode()
    return _TRICKY.sub(lambda found: f"\\u{ord(found.group()):04x}", text).encode()


def cef_line(entry: Sealed) -> bytes:
    """Without its line's end."""
    result = _result(entry)
    head = "|".join(
        _head(part) for part in ("Trueup", "Trueup", __version__, entry.action, f"{entry.action} {entry.target}"[:512])
    )
    said = {
        "rt": str(entry.at_us // 1000),
        "externalId": entry.place,
        "suser": entry.actor,
        "src": entry.address if _is_address(entry.address) else "",
        "act": entry.action,
        "outcome": _OUTCOMES[result],
        "reason": entry.reason,
        "msg": entry.message,
        "dvchost": entry.replica,
        **_custom(
            ("project", entry.project),
            ("target", entry.target),
            ("revision", entry.revision),
            ("via", entry.via),
            ("requestId", entry.request_id),
            ("hash", entry.hash.hex()),
        ),
        "trueupBefore": entry.before,
        "trueupAfter": entry.after,
    }
    extension = " ".join(
        f"{name}={_extension(value[: _LONGEST_CEF.get(name, len(value))])}" for name, value in said.items() if value
    )
    return f"CEF:0|{head}|{_CEF_SEVERITIES[result]}|{extension}".encode()


def line(entry: Sealed, form: Form) -> bytes:
    return cef_line(entry) if form is Form.CEF else json_line(entry)


def syslog_message(entry: Sealed, form: Form, host: str, process: str, *, largest: int = 0) -> bytes:
    """RFC 5424, section 6, without any framing. `largest` in octets (UDP): what does not fit loses `before` and `after`."""
    message = _syslog(entry, form, host, process)
    if largest and len(message) > largest:
        message = _syslog(_shortened(entry), form, host, process)
    return message


def _syslog(entry: Sealed, form: Form, host: str, process: str) -> bytes:
    severity = _SEVERITIES[_result(entry)]
    head = " ".join(
        (
            f"<{_FACILITY * 8 + severity}>1",
            _timestamp(entry.at),
            _word(host, 255),
            "trueup",
            _word(process, 128),
            _word(entry.action, 32),
            # sequenceId is registered with IANA (RFC 5424, 7.3.1) and ends at 2147483647.
            f'[meta sequenceId="{(entry.sequence - 1) % 2147483647 + 1}"]',
        )
    )
    return head.encode() + b" " + _BOM + line(entry, form)


def _shortened(entry: Sealed) -> Sealed:
    return msgspec.structs.replace(entry, before="", after="", message=entry.message[:512])


def _result(entry: Sealed) -> AuditResult:
    try:
        return AuditResult(entry.result)
    except ValueError:  # of a newer version, or of somebody who wrote into the database
        return AuditResult.FAILED


def _timestamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _word(text: str, longest: int) -> str:
    """PRINTUSASCII without spaces; `-` for nothing."""
    return re.sub(r"[^\x21-\x7e]", "_", text)[:longest] or "-"


def _head(text: str) -> str:
    """A head has no line ends at all."""
    text = re.sub(r"[\r\n]+", " ", _CONTROLS.sub("\ufffd", text))
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _extension(text: str) -> str:
    text = _CONTROLS.sub("\ufffd", text).replace("\\", "\\\\").replace("=", "\\=")
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r")


def _custom(*pairs: tuple[str, str]) -> dict[str, str]:
    """`cs1` to `cs6`, each with the label that says what it is."""
    found: dict[str, str] = {}
    for number, (label, value) in enumerate(pairs, 1):
        if value:
            found[f"cs{number}Label"] = label
            found[f"cs{number}"] = value
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
