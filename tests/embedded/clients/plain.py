"""A client's output without what must differ between two runs: times, ages, uids, addresses, names made at random. Pure.

Columns are as wide as what stands in them, so runs of spaces inside a line become two; indentation stays.
"""

from __future__ import annotations

import re

from tests.embedded.clients.topic import Answer, Show

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
"""The letters of random names and hashes: no vowels, nothing that looks like another (k8s.io/apimachinery/util/rand)."""
_AGE = r"(?:<invalid>|<unknown>|\d+(?:ms|[smhdy])(?:\d+[smhd])?)"

_NOISE = re.compile(r"^[EIW]\d{4} .*(?:context canceled|context deadline exceeded|very short watch)")
"""Lines that client-go logs or not, as it happens, when its own caller hangs up."""

_SUBSTITUTIONS = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"/tmp/(LIVE|MERGED)-\d+", r"\1"),
        (r"/tmp/trueup-clients-\w+(?:/[0-9a-f]{16}\b)?", "HOME"),
        (r"\b([a-z-]+)\.[0-9a-f]{16}\b", r"\1.EVENT"),
        (r"(?i)(resource version: +)\d+", r"\1RV"),
        (r"\bmodifiedAt=\d+", "modifiedAt=TIME"),
        (r"simulated://[0-9a-f]{64}", "simulated://ID"),
        (r"^((?:---|\+\+\+) \S+)\s.*$", r"\1"),
        (r"^[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "LOG "),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID"),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", "NANOTIME"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d)?(?: UTC| [A-Z]{3,4})?", "TIME"),
        (
            r"\b[A-Z][a-z]{2},? (?:\d\d [A-Z][a-z]{2}|[A-Z][a-z]{2} [ \d]\d) (?:\d{4} )?\d\d:\d\d:\d\d(?: [+-]\d{4}| \d{4})?",
            "TIME",
        ),
        (r"https?://127\.0\.0\.1:\d+", "SERVER"),
        (r"127\.0\.0\.1:\d+", "SERVER"),
        (r"127\.0\.0\.1\b", "IP"),
        (r"(?<=Handling connection for )\d+|(?<=forwarding )\d+(?= -> )", "PORT"),
        (r"\b(?:10|172|192)\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", "IP"),
        (r"(resourceVersion\"?: ?)\"\d+\"", r'\1"RV"'),
        (r"(?<=\S) {2,}|\t+", "  "),
        (rf"\(x\d+ over {_AGE}\)", "(xN over AGE)"),
        (rf"\b{_AGE} ago\b", "AGE ago"),
        (rf"(?:(?<=  )|^){_AGE}(?=\s|$)", "AGE"),
        (
            rf"((?:pod-template-hash|controller-revision-hash|controller\.kubernetes\.io/hash)\"?[=:] ?\"?[a-z-]*?){_RANDOM}{{6,10}}\b",
            r"\1HASH",
        ),
        (rf"-{_RANDOM}{{8,10}}\b", "-HASH"),
        (rf"-{_RANDOM}{{5}}\b", "-RAND"),
        (r"\b(?:trueup-node-\d+|node-\d+)\b", "NODE"),
        (r"\b(?:kubernetes|trueup)-admin\b", "ADMIN"),
        (r" +$", ""),
    )
)


_WARNINGS = re.compile(r"(?<=^Warning: )(?:deleting|ignoring) .*; .*$")
_DRAIN_ERRORS = re.compile(r"(?<=due to error: \[).*(?=\], continuing command)")


def _in_order(line: str) -> str:
    """What `kubectl drain` says of several sorts of pods comes in the order of a Go map: any."""
    line = _WARNINGS.sub(lambda found: "; ".join(sorted(found[0].split("; "))), line)
    return _DRAIN_ERRORS.sub(lambda found: ", ".join(sorted(re.split(r", (?=cannot )", found[0]))), line)


def plain(text: str) -> list[str]:
    """The lines, each without what must differ."""
    lines = []
    for line in text.splitlines():
        if _NOISE.search(line):
            continue
        for pattern, by in _SUBSTITUTIONS:
            line = pattern.sub(by, line)
        lines.append(_in_order(line))
    return lines


def plain_answer(command: str, show: Show, code: int, stdout: str, stderr: str) -> Answer:
    """What of a command's answer is compared."""
    if show is Show.CODE:
        return Answer(command, code)
    out, errors = plain(stdout), plain(stderr)
    if show is Show.LAST:
        return Answer(command, code, out[-1:], errors[-1:])
    if show is Show.SET:
        return Answer(command, code, sorted(set(out)), sorted(set(errors)))
    return Answer(command, code, out, errors)
