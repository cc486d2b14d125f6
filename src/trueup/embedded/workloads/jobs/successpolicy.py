"""`spec.successPolicy`: when an indexed Job has done enough, though not everything. Pure.

The first rule that is met decides: certain indexes, so many of them, or so many of any.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy
"""

from __future__ import annotations

from collections.abc import Set

from trueup.embedded.workloads.jobs.indexes import parse_indexes
from trueup.embedded.workloads.objects import rows_of
from trueup.model.manifest import Manifest, spec_of

REASON = "SuccessPolicy"


def met(job: Manifest, done: Set[int]) -> str:
    """The message of the rule that the done indexes meet; empty: none is."""
    completions = spec_of(job).get("completions") or 0
    for number, rule in enumerate(rows_of(job, "spec", "successPolicy", "rules")):
        wanted, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        if wanted is None:
            is_met = count is not None and len(done) >= count
        else:
            indexes = {index for index in parse_indexes(str(wanted)) if index < completions}
            found = indexes & done
            is_met = bool(indexes) and (found == indexes or (count is not None and len(found) >= count))
        if is_met:
            return f"Matched rules at index {number}"
    return ""
