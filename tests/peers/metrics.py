"""Reads kube-apiserver's own count of the requests that it answered. Pure: the text of /metrics in, counts out."""

from collections import Counter

import msgspec
from prometheus_client.parser import text_string_to_metric_families

FAMILY = "apiserver_request"
"""`apiserver_request_total`; the parser takes the suffix off."""


class Request(msgspec.Struct, frozen=True, order=True):
    """What kube-apiserver tells requests apart by. `verb` is in its spelling: GET, LIST, WATCH, APPLY, POST..."""

    verb: str
    group: str
    resource: str
    subresource: str
    code: str


def request_counts(text: str) -> Counter[Request]:
    """Requests answered since the server started. A watch is counted when it ends; subtract two answers for a span."""
    start = text.find(f"# HELP {FAMILY}_total")
    if start < 0:
        return Counter()
    end = text.find("# HELP", start + 1)
    counts: Counter[Request] = Counter()
    for family in text_string_to_metric_families(text[start : end if end > 0 else None]):
        for sample in family.samples:
            label = sample.labels
            if sample.name == f"{FAMILY}_total":
                request = Request(label["verb"], label["group"], label["resource"], label["subresource"], label["code"])
                counts[request] += int(sample.value)
    return counts
