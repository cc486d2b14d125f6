"""The string formats that CRD schemas may name. A format that is not here is ignored, as kube-apiserver ignores it.

Rules: k8s.io/kube-openapi, pkg/validation/strfmt; the list is k8s.io/apiextensions-apiserver's `supportedVersionedFormats`.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
from collections.abc import Callable
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from trueup.embedded.schema import patterns

_UUID = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}\Z"
_DATE_TIME = re.compile(
    r"^\d{4}-\d{2}-\d{2}[Tt\s]([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?([zZ]|([+-][0-9]{2}:[0-9]{2}))\Z"
)
_DURATION = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*\Z")
_WORDY_DURATION = re.compile(
    r"^((\d+)\s*(nanosecond|nanoseconds|nano|nanos|ns|microsecond|microseconds|micro|micros|us|µs|millisecond|"
    r"milliseconds|milli|millis|ms|second|seconds|sec|secs|s|minute|minutes|min|mins|m|hour|hours|hr|hrs|h|"
    r"day|days|d|week|weeks|wk|wks|w))+\Z"
)
_NAME_CHAR = r"0-9\p{L}\p{S}"
_HOST_NAME = rf"^[{_NAME_CHAR}]-?[{_NAME_CHAR}]{{0,62}}\z|^([{_NAME_CHAR}]([-{_NAME_CHAR}]{{0,61}}[{_NAME_CHAR}])?\.)+\p{{L}}{{2,63}}\z"
_RGB_PART = r"\s*([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\s*"
_RGB_PERCENT = r"\s*([0-9]|[1-9][0-9]|100)%\s*"


def is_format(name: str, text: str) -> bool:
    """Whether a string has the format; True for formats that are not checked."""
    check = FORMATS.get(name.replace("-", "") if not name.startswith("k8s-") else name)
    return check is None or check(text)


def is_known(name: str) -> bool:
    """Whether the format is one that is checked."""
    return (name.replace("-", "") if not name.startswith("k8s-") else name) in FORMATS


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.search(text) is not None


def _date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and bool(datetime.date.fromisoformat(text))
    except ValueError:
        return False


def _date_time(text: str) -> bool:
    if len(text) < 4 or not _DATE_TIME.match(text):
        return False
    hour, minute, second = (int(part) for part in (text[11:13], text[14:16], text[17:19]))
    return _date(text[:10]) and hour <= 23 and minute <= 59 and second <= 59


def _without_leading_zeros(text: str) -> str:
    """`010.0.0.1` -> `10.0.0.1`: such numbers count as decimal ones, as they always did in Kubernetes."""
    return re.sub(r"(?<![0-9a-fA-F:])0+(?=[0-9])", "", text) if "." in text else text


def _ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(_without_leading_zeros(text) if version == 4 else text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    if not re.search(r"/\d{1,3}\Z", text):
        return False
    try:
        ipaddress.ip_network(_without_leading_zeros(text), strict=False)
    except ValueError:
        return False
    return True


def _uri(text: str) -> bool:
    """An absolute URI or an absolute path, as Go's url.ParseRequestURI takes it."""
    if not text or any(ord(char) < 0x21 or ord(char) == 0x7F for char in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return text.startswith("/") or (bool(parts.scheme) and len(text) > len(parts.scheme) + 1)


def _email(text: str) -> bool:
    _, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    return bool(at and local and domain) and " " not in address and not domain.startswith(".")


def _hostname(text: str) -> bool:
    return (
        len(text.encode()) <= 255
        and all(len(label.encode()) <= 63 for label in text.split("."))
        and patterns.matches(_HOST_NAME, text)
    )


def _base64(text: str) -> bool:
    try:
        return bool(text) and bool(base64.b64decode(text, validate=True) or True)
    except binascii.Error:
        return False


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"[0-9]{9}[0-9Xx]", digits):
        return False
    return sum((10 if char in "Xx" else int(char)) * (10 - at) for at, char in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    return bool(re.fullmatch(r"[0-9]{13}", digits)) and (
        sum(int(char) * (3 if at % 2 else 1) for at, char in enumerate(digits)) % 10 == 0
    )


def _credit_card(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not re.fullmatch(
        r"(4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|"
        r"3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})",
        digits,
    ):
        return False
    doubled = [int(char) * (1 + at % 2) for at, char in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matches(r"^[0-9a-fA-F]{24}\Z"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _cidr,
    "mac": _matches(
        r"^([0-9A-Fa-f]{2}([:-])([0-9A-Fa-f]{2}\2){4}([0-9A-Fa-f]{2}\2[0-9A-Fa-f]{2}\2)?[0-9A-Fa-f]{2}|"
        r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4})?)\Z"
    ),
    "uuid": _matches(_UUID % ("[0-9a-f]", "[0-9a-f]")),
    "uuid3": _matches(_UUID % ("3", "[0-9a-f]")),
    "uuid4": _matches(_UUID % ("4", "[89ab]")),
    "uuid5": _matches(_UUID % ("5", "[89ab]")),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"^\d{3}[- ]?\d{2}[- ]?\d{4}\Z"),
    "hexcolor": _matches(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z"),
    "rgbcolor": _matches(
        rf"^rgb\(({_RGB_PART},{_RGB_PART},{_RGB_PART}|{_RGB_PERCENT},{_RGB_PERCENT},{_RGB_PERCENT})\)\Z"
    ),
    "byte": _base64,
    "password": lambda _text: True,
    "date": _date,
    "duration": lambda text: text in ("0", "+0", "-0") or bool(_DURATION.match(text) or _WORDY_DURATION.match(text)),
    "datetime": _date_time,
    "k8s-short-name": _matches(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"),
    "k8s-long-name": lambda text: (
        len(text) <= 253
        and bool(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", text))
    ),
}
