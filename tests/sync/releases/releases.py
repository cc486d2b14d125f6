"""Releases for tests: the least that a spec and a snapshot need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from trueup.model.release import (
    InstallRules,
    ReleaseSpec,
    RollbackRules,
    TestingRules,
    UninstallRules,
    UpgradeRules,
)
from trueup.model.releaserecord import ReleaseSnapshot

MINUTES = timedelta(minutes=5)


def release_spec(**fields: Any) -> ReleaseSpec:
    return ReleaseSpec(
        **{
            "name": "web", "namespace": "shop", "storage_namespace": "shop",
            "install": InstallRules(timeout=MINUTES), "upgrade": UpgradeRules(timeout=MINUTES),
            "rollback": RollbackRules(timeout=MINUTES), "uninstall": UninstallRules(timeout=MINUTES),
            "test": TestingRules(timeout=MINUTES), **fields,
        }
    )  # fmt: skip


def snapshot(version: int, **fields: Any) -> ReleaseSnapshot:
    return ReleaseSnapshot(
        **{
            "name": "web", "namespace": "shop", "version": version, "status": "deployed", "digest": f"sha256:d{version}",
            "config_digest": "sha256:c1", "chart_name": "web", "chart_version": "1.0.0", **fields,
        }
    )  # fmt: skip
