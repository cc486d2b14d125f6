"""What a sync would change, as it is told from the controller to the server and on to people. Pure data; secrets are masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from trueup.model.refs import ObjectRef


class CompareWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`revision` empty: what the source has now; else a branch, tag, commit or `refs/pull/1/head`. `prune` None: as the App says.

    `dryRun` False: only what is declared, without asking the cluster about it.
    """

    app: ObjectRef
    revision: str = ""
    prune: bool | None = None
    dry_run: bool = True
    only: ObjectRef | None = None
    """One object alone, whether it would change or not."""
    resources: tuple[ObjectRef, ...] = ()
    """What a sync of these alone would do; none: of the whole App."""


class FieldRow(Struct, frozen=True, kw_only=True):
    """`before` and `after` are JSON texts; empty: absent."""

    path: str
    before: str = ""
    after: str = ""


class ObjectComparison(Struct, frozen=True, kw_only=True, rename="camel"):
    """`before` is what is live, `after` what it would be by the server's own answer; both cut to what people decide.

    `origin` is where it is declared: a file and a line. `phase` and `wave`: in which turn of the sync it has its place, where
    syncs have turns. `hook`: at which phases it runs.
    """

    ref: ObjectRef
    version: str
    action: str
    reason: str = ""
    message: str = ""
    fields: tuple[FieldRow, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    origin: str = ""
    phase: str = ""
    wave: int = 0
    hook: tuple[str, ...] = ()


class CommitRow(Struct, frozen=True, kw_only=True):
    """Who made a revision, when, and why. `signed` says only that there is a signature; `verified` whose, where one was asked for."""

    commit: str
    author: str
    email: str
    at: datetime
    message: str
    signed: bool
    verified: str = ""


class ReleaseStep(Struct, frozen=True, kw_only=True, rename="camel"):
    """`action`: install, upgrade, rollback, uninstall, test, or none: then objects are what differs from the release's record.

    `current`, `wanted` and `becomes` are charts, `NAME@VERSION`: of the last record, as declared, and of the record that the action
    makes (a rollback's is an earlier one); `current` empty: there is no release; `becomes` empty: no record is made. `why` may be empty.
    `record` and `next_record`: the number of the last record of Helm's, 0: there is none, and of the newest one afterwards. `values`: those
    that the new record has other than the last; of what may be a Secret's only the path is told.
    """

    action: str
    why: str
    current: str
    wanted: str
    becomes: str = ""
    record: int = 0
    next_record: int = 0
    values: tuple[FieldRow, ...] = ()


class Comparison(Struct, frozen=True, kw_only=True, rename="camel"):
    """Objects in the order in which a sync would send them, prunes last; hooks apart."""

    app: ObjectRef
    revision: str
    full_revision: str
    at: datetime
    objects: tuple[ObjectComparison, ...]
    hooks: tuple[ObjectComparison, ...] = ()
    notices: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    commit: CommitRow | None = None
    """None: the revision is no commit of Git's."""
    release: ReleaseStep | None = None
    """Of a HelmRelease: what comes next."""


class CommitsWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who made revisions of an App's source; each as the history shows it, in full."""

    app: ObjectRef
    revisions: tuple[str, ...]


class ChartWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a chart says of itself. `source`: which of the App's sources, where there are several."""

    app: ObjectRef
    version: str
    source: int = 0


class Commits(Struct, frozen=True, kw_only=True, rename="camel"):
    """`items` by the revision that was asked; what is no commit, or is not to be had any more, is not in it.

    `url`: the repository, without what is secret in it; empty: the source is no Git repository, or several.
    """

    url: str = ""
    items: dict[str, CommitRow] = {}


class ImpactWish(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which Apps a revision of a source concerns; `revision` as in `CompareWish`."""

    source: ObjectRef
    revision: str = ""


class Impact(Struct, frozen=True, kw_only=True, rename="camel"):
    """`concerned`: the Apps of which something that they read is another at that revision, sorted; no other can change by it."""

    source: ObjectRef
    revision: str
    full_revision: str
    concerned: tuple[ObjectRef, ...]
    notices: tuple[str, ...] = ()
    commit: CommitRow | None = None
