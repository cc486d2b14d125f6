"""Argo CD's retry strategy, of an Application and of a single operation: the same words, the same defaults."""

from __future__ import annotations

from datetime import timedelta

from trueup.dialects.argocd.application_resource import RetryStrategy
from trueup.dialects.reading import read_duration
from trueup.model.app import Retry
from trueup.model.refs import ObjectRef

DEFAULT_RETRY = Retry(first=timedelta(seconds=5), factor=2.0, maximum=timedelta(minutes=3), limit=5)
"""What an automated sync gets where the Application names no retry. Its waits are those of any retry without `backoff`."""


def read_retry(said: RetryStrategy | None, ref: ObjectRef, field: str) -> Retry:
    """A negative limit is none, a factor below 1 makes equal waits. Raises InvalidInput below `field` for no duration."""
    if said is None:
        return DEFAULT_RETRY
    backoff = said.backoff
    first, factor, maximum = DEFAULT_RETRY.first, DEFAULT_RETRY.factor, DEFAULT_RETRY.maximum
    if backoff and backoff.duration:
        first = _seconds_or_duration(backoff.duration, ref, f"{field}.backoff.duration")
    if backoff and backoff.max_duration:
        maximum = _seconds_or_duration(backoff.max_duration, ref, f"{field}.backoff.maxDuration")
    if backoff and backoff.factor is not None:
        factor = float(max(backoff.factor, 1))
    return Retry(first=first, factor=factor, maximum=maximum, limit=None if said.limit < 0 else said.limit)


def _seconds_or_duration(text: str, ref: ObjectRef, field: str) -> timedelta:
    """A bare number is in seconds."""
    if text.isdigit():
        return timedelta(seconds=int(text))
    return read_duration(text, ref=ref, field=field)
