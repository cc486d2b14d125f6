"""Which hooks run at an event, in which order, and which are deleted when. Pure; the rules are Helm's."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from trueup.model.release import NamedTest
from trueup.model.releaserecord import Hook

CRD = "CustomResourceDefinition"


class HookEvent(StrEnum):
    PRE_INSTALL = "pre-install"
    POST_INSTALL = "post-install"
    PRE_UPGRADE = "pre-upgrade"
    POST_UPGRADE = "post-upgrade"
    PRE_ROLLBACK = "pre-rollback"
    POST_ROLLBACK = "post-rollback"
    PRE_DELETE = "pre-delete"
    POST_DELETE = "post-delete"
    TEST = "test"


class DeletePolicy(StrEnum):
    BEFORE_CREATION = "before-hook-creation"
    SUCCEEDED = "hook-succeeded"
    FAILED = "hook-failed"


def hooks_at(hooks: Iterable[Hook], event: HookEvent) -> tuple[Hook, ...]:
    """By weight, then by name; equal ones stay in the order of the record."""
    return tuple(sorted((hook for hook in hooks if event in hook.events), key=lambda hook: (hook.weight, hook.name)))


def is_deleted_at(hook: Hook, policy: DeletePolicy) -> bool:
    """A hook without a policy goes before the next one of its name comes. A CRD is never deleted: its objects would go."""
    return hook.kind != CRD and policy in (hook.delete_policies or (DeletePolicy.BEFORE_CREATION,))


def is_chosen(hook: Hook, filters: Iterable[NamedTest]) -> bool:
    """Whether a test runs: named ones alone where any is named, and none that is excluded."""
    included = {each.name for each in filters if not each.exclude}
    excluded = {each.name for each in filters if each.exclude}
    return hook.name not in excluded and (not included or hook.name in included)
