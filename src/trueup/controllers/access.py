"""The way to a cluster that an App's work takes, for what people do with its objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trueup.cluster.client import KubeClient
from trueup.model.refs import ObjectRef


@dataclass(frozen=True, slots=True)
class Access:
    """`client` speaks as the App does there. `check` raises ApiError for what is not to be written."""

    client: KubeClient
    check: Callable[[ObjectRef], None]
