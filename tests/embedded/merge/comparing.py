"""Compares what we made of a step with what the real server made of it."""

from __future__ import annotations

import re
from typing import Any

from tests.embedded.merge.scenario import Case, Outcome, crds

# What the server adds to built-in kinds by itself; defaulting them is the API server's work, not merging's.
DEFAULTED = {
    *("progressDeadlineSeconds", "replicas", "revisionHistoryLimit", "strategy", "type", "rollingUpdate", "maxSurge"),
    *(
        "maxUnavailable",
        "dnsPolicy",
        "restartPolicy",
        "schedulerName",
        "securityContext",
        "imagePullPolicy",
        "protocol",
    ),
    *("terminationGracePeriodSeconds", "terminationMessagePath", "terminationMessagePolicy", "resources", "metadata"),
    *("failureThreshold", "periodSeconds", "successThreshold", "timeoutSeconds", "scheme", "defaultMode", "status"),
    *("clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity", "targetPort", "path"),
    *("behavior", "minReplicas", "requests", "cpu", "divisor"),
}


def differences(case: Case, ours: Outcome, real: Outcome) -> list[str]:
    """One line per difference; empty when there is none."""
    if ours.code != real.code:
        return [f"code: ours {ours.code}, real {real.code}", f"ours: {ours}", f"real: {real}"]
    if real.status:
        return _refusals(ours.status, real.status)
    out = _rows(ours.object, real.object)
    # Without its time, the place of a row among the stored ones is lost in the recording, and moving counts as a change.
    timed = all("time" in row for row in real.object["metadata"].get("managedFields", ()))
    if ours.unchanged != real.unchanged and case.kind in crds() and timed:
        out.append(f"unchanged: ours {ours.unchanged}, real {real.unchanged}")
    _objects(_bare(ours.object), _bare(real.object), "", case.kind in crds(), out)
    return out


def same_answer(a: Outcome, b: Outcome) -> bool:
    """Whether two answers of the real server are the same; the order of several errors is any."""
    same = a.code == b.code and a.object == b.object and a.unchanged == b.unchanged
    return same and (a.status == b.status or not _refusals(a.status, b.status))


def _refusals(ours: dict[str, Any], real: dict[str, Any]) -> list[str]:
    out = []
    # The order of several errors is the order of a Go map: any.
    if _parts(ours["message"]) != _parts(real["message"]):
        out.append(f"message:\n  ours {ours['message']}\n  real {real['message']}")
    if "causes" in ours and _sorted(ours["causes"]) != _sorted(real["causes"]):
        out.append(f"causes:\n  ours {ours['causes']}\n  real {real['causes']}")
    return out


def _parts(message: str) -> list[str]:
    return sorted(re.split(r"\n|, (?=[\w.]+: )|\[|\]", message))


def _sorted(causes: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    return sorted(sorted(cause.items()) for cause in causes)


def _rows(ours: dict[str, Any], real: dict[str, Any]) -> list[str]:
    ours_rows, real_rows = (obj["metadata"].get("managedFields", []) for obj in (ours, real))
    return [] if ours_rows == real_rows else [f"managedFields:\n  ours {ours_rows}\n  real {real_rows}"]


def _bare(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def _objects(ours: Any, real: Any, path: str, exact: bool, out: list[str]) -> None:
    if isinstance(ours, dict) and isinstance(real, dict):
        for key in sorted(ours.keys() | real.keys()):
            place = f"{path}.{key}"
            if key not in real:
                if exact or not _is_zero(ours[key]):
                    out.append(f"{place}: only ours: {ours[key]}")
            elif key not in ours:
                if exact or key not in DEFAULTED:
                    out.append(f"{place}: only real: {real[key]}")
            else:
                _objects(ours[key], real[key], place, exact, out)
    elif isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        for index, (a, b) in enumerate(zip(ours, real, strict=True)):
            _objects(a, b, f"{path}[{index}]", exact, out)
    elif ours != real and (exact or not _same_quantity(ours, real)):
        out.append(f"{path}: ours {ours!r}, real {real!r}")


def _is_zero(value: Any) -> bool:
    """What a Go struct leaves out when it is written: the server stores built-in kinds as such."""
    return not value or (isinstance(value, dict) and all(_is_zero(item) for item in value.values()))


_CANONICAL = {"1000m": "1", "1024Mi": "1Gi", "0.5": "500m", "1": "1"}


def _same_quantity(ours: Any, real: Any) -> bool:
    return _CANONICAL.get(str(ours)) == real
