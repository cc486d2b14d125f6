"""The AppProject resource as structs, from which the CRD's schema is made."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from trueup.dialects.schema import AnyObject, Int64


class ProjectDestination(Struct, frozen=True, kw_only=True):
    server: str = ""
    name: str = ""
    namespace: str = ""


class KindRule(Struct, frozen=True, kw_only=True):
    group: str
    kind: str
    name: str = ""


class JwtToken(Struct, frozen=True, kw_only=True):
    iat: Int64
    exp: Int64 | None = None
    id: str = ""


class JwtTokens(Struct, frozen=True, kw_only=True):
    items: tuple[JwtToken, ...] = ()


class Role(Struct, frozen=True, kw_only=True, rename="camel"):
    name: str
    description: str = ""
    policies: tuple[str, ...] = ()
    """Casbin lines."""
    groups: tuple[str, ...] = ()
    jwt_tokens: tuple[JwtToken, ...] = ()


class SyncWindow(Struct, frozen=True, kw_only=True, rename="camel"):
    kind: Literal["allow", "deny"] | None = None
    schedule: str = ""
    """Cron, five fields."""
    duration: str = ""
    time_zone: str = ""
    applications: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    manual_sync: bool = False
    and_operator: bool = False
    sync_overrun: bool = False
    description: str = ""


class OrphanKey(Struct, frozen=True, kw_only=True):
    group: str = ""
    kind: str = ""
    name: str = ""


class OrphanedResources(Struct, frozen=True, kw_only=True):
    warn: bool | None = None
    ignore: tuple[OrphanKey, ...] = ()


class SignatureKey(Struct, frozen=True, kw_only=True):
    key_id: str = field(name="keyID")


class DestinationServiceAccount(Struct, frozen=True, kw_only=True, rename="camel"):
    server: str
    default_service_account: str
    namespace: str = ""


class AppProjectSpec(Struct, frozen=True, kw_only=True, rename="camel"):
    description: str = ""
    source_repos: tuple[str, ...] = ()
    """Which repositories may be used; globs, `!` denies."""
    destinations: tuple[ProjectDestination, ...] = ()
    """Which clusters and namespaces may be deployed to; globs, `!` denies."""
    source_namespaces: tuple[str, ...] = ()
    cluster_resource_whitelist: tuple[KindRule, ...] = ()
    cluster_resource_blacklist: tuple[KindRule, ...] = ()
    namespace_resource_whitelist: tuple[KindRule, ...] = ()
    namespace_resource_blacklist: tuple[KindRule, ...] = ()
    roles: tuple[Role, ...] = ()
    sync_windows: tuple[SyncWindow, ...] = ()
    orphaned_resources: OrphanedResources | None = None
    signature_keys: tuple[SignatureKey, ...] = ()
    source_integrity: AnyObject | None = None
    permit_only_project_scoped_clusters: bool = False
    destination_service_accounts: tuple[DestinationServiceAccount, ...] = ()


class AppProjectStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    jwt_tokens_by_role: dict[str, JwtTokens] = {}
