"""A whole policy: the built-in rules, the operator's, and how they are matched. Read from `argocd-rbac-cm`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml
from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.server.access.builtin import builtin_rules
from trueup.server.access.patterns import MatchMode
from trueup.server.access.rules import Rules, read_rules

MAIN = "policy.csv"
_MORE = re.compile(r"policy\..+\.csv")
DEFAULT_SCOPES = ("groups",)


class Policy(Struct, frozen=True, kw_only=True):
    """`default_role` is everybody's who is logged in, and no rule takes it away. `scopes` are the claims that hold groups."""

    rules: Rules
    default_role: str = ""
    mode: MatchMode = MatchMode.GLOB
    scopes: tuple[str, ...] = DEFAULT_SCOPES

    def strict(self) -> Policy:
        """Itself; raises InvalidInput for its first line that cannot be read."""
        if self.rules.problems:
            raise self.rules.problems[0].as_error()
        return self


def policy_of(data: Mapping[str, str]) -> Policy:
    """Of the ConfigMap's data: `policy.csv`, then every `policy.*.csv` by name, `policy.default`, `policy.matchMode`, `scopes`."""
    texts = [(MAIN, data.get(MAIN, ""))]
    texts += [(key, data[key]) for key in sorted(data) if key != MAIN and _MORE.fullmatch(key)]
    rules = builtin_rules()
    for name, text in texts:
        rules += read_rules(text, name)
    mode = MatchMode.REGEX if data.get("policy.matchMode") == "regex" else MatchMode.GLOB
    return Policy(
        rules=rules, default_role=data.get("policy.default", ""), mode=mode, scopes=_scopes(data.get("scopes", ""))
    )


def _scopes(text: str) -> tuple[str, ...]:
    """`'[groups, email]'`, a YAML list in a string."""
    if not text.strip():
        return DEFAULT_SCOPES
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"is not YAML: {error}", field="scopes", hint="write '[groups, email]'") from error
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InvalidInput(f"is {text!r}, not a list of claims", field="scopes", hint="write '[groups, email]'")
    return tuple(found)
