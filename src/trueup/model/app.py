"""The App: the one internal form of a Flux Kustomization and an Argo CD Application.

"This path of this source, rendered so, into that cluster and namespace, under these rules." Dialects make Apps from
resources; the engine never asks which dialect an App came from, it asks its rules.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct, field

from trueup.model.refs import ObjectRef
from trueup.model.release import ReleaseSpec
from trueup.model.rendering import RenderSpec, variables_used_by
from trueup.model.source import SourceKey
from trueup.model.target import Target


class Owner(Struct, frozen=True):
    """The marks that say "this object belongs to that App". A mark counts only when every pair of it matches."""

    labels: dict[str, str] = field(default_factory=dict)
    tracking_id_prefix: str = ""
    """Argo CD's `<app>:`; the annotation's whole value must name the object that carries it. Empty: not used."""
    annotations: dict[str, str] = field(default_factory=dict)


class DeletionPolicy(StrEnum):
    """What happens to the objects when the App's resource is deleted (Flux's words)."""

    MIRROR_PRUNE = "MirrorPrune"
    DELETE = "Delete"
    WAIT_FOR_TERMINATION = "WaitForTermination"
    ORPHAN = "Orphan"


class Dependency(Struct, frozen=True):
    """`ready_expr`: CEL over `self` and `dep` that says when it is ready; empty: when it is Ready."""

    ref: ObjectRef
    ready_expr: str = ""


class HealthCheck(Struct, frozen=True):
    """One object to wait for; `version` as written in the resource."""

    ref: ObjectRef
    version: str


class HealthExpression(Struct, frozen=True, kw_only=True):
    """CEL over an object's own fields, for objects of a group (and kind; empty: all of the group)."""

    group: str
    kind: str = ""
    current: str
    failed: str = ""
    in_progress: str = ""


class Retry(Struct, frozen=True, kw_only=True):
    """Exponential backoff after a failure: `first` × `factor`^n, at most `maximum`, plus jitter; `limit` None: for ever."""

    first: timedelta
    factor: float = 2.0
    maximum: timedelta = timedelta(minutes=15)
    limit: int | None = None


class OptOut(Struct, frozen=True, kw_only=True):
    """The dialect's annotations (Flux: labels too) by which one object leaves a rule; each is (key, value in lower case)."""

    never_prune: tuple[tuple[str, str], ...] = ()
    never_delete: tuple[tuple[str, str], ...] = ()
    never_apply: tuple[tuple[str, str], ...] = ()
    """In Git or on the live object: leave it alone altogether."""
    only_create: tuple[tuple[str, str], ...] = ()
    merge: tuple[tuple[str, str], ...] = ()
    """Take no ownership over from other managers."""
    force: tuple[tuple[str, str], ...] = ()
    replace: tuple[tuple[str, str], ...] = ()
    prune_last: tuple[tuple[str, str], ...] = ()
    confirm_prune: tuple[tuple[str, str], ...] = ()
    """Pruned only once a person has approved of it."""
    confirm_delete: tuple[tuple[str, str], ...] = ()
    """Its App is deleted only once a person has approved of it."""
    ignore_health: tuple[tuple[str, str], ...] = ()
    """On the live object: how it is does not count in the health of its App."""
    ignore_extraneous: tuple[tuple[str, str], ...] = ()
    """On the live object: that it left Git does not make its App differ. Each is one word of a comma list."""
    never_heal: tuple[tuple[str, str], ...] = ()
    """What others change of it is left so."""
    options_annotation: str = ""
    """An annotation that holds a comma list of such values (Argo's `sync-options`); the pairs above name it as key."""


class IgnoreRule(Struct, frozen=True, kw_only=True):
    """Fields of some objects that are not compared. Group and kind are globs, as are name and namespace where they are said."""

    group: str = ""
    kind: str
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()
    jq_paths: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    """What these managers hold on the live object."""


class KindOrder(StrEnum):
    """In which order the kinds of one App are applied."""

    STAGED = "staged"
    """Flux's: CRDs, namespaces and cluster roles, then classes, then the rest."""
    ARGOCD = "argocd"
    """Argo CD's list, after the namespaces and CRDs."""
    HELM = "helm"
    """Helm's list."""


class NamespaceMetadata(Struct, frozen=True, kw_only=True):
    """What the namespace that `create_namespace` makes is to carry (Argo CD's managedNamespaceMetadata)."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class SyncRules(Struct, frozen=True, kw_only=True):
    """How the engine treats the objects of an App."""

    owner: Owner
    field_manager: str
    takeover_managers: tuple[str, ...] = ()
    """Managers whose entries are folded into ours; a trailing `*` matches any rest (Flux: `kubectl*`, `before-first-apply`)."""
    default_namespace: str = ""
    """For namespaced objects that name none (Argo: the destination; Flux v1beta1: `default`). Empty: that is an error."""
    create_namespace: bool = False
    namespace_metadata: NamespaceMetadata | None = None
    """Kept on the namespace that `create_namespace` asks for, also where it was there before."""
    kind_order: KindOrder = KindOrder.STAGED
    duplicates_allowed: bool = False
    """Of two declarations of one object the last wins, with a notice (Argo). False: an error that names both."""
    prune: bool = False
    prune_last: bool = False
    wave_annotations: tuple[str, ...] = ()
    """By which annotations an object says its wave (an integer); the first that holds one counts. None: no waves."""
    waits_for_unchanged: bool = True
    """Whether a later wave also waits for objects of earlier ones that this sync did not send."""
    confirm_prune: bool = False
    """Prunes wait for a person's approval (Argo's `Prune=confirm`), whatever the objects say."""
    confirm_delete: bool = False
    """The same for the deletion of the App itself."""
    ignore: tuple[IgnoreRule, ...] = ()
    respect_ignored: bool = False
    """What is sent has the live values of ignored fields (Argo's `RespectIgnoreDifferences`)."""
    allow_empty: bool = True
    """False: a render that comes back empty prunes nothing and fails (Argo's allowEmpty)."""
    self_heal: bool = True
    automated: bool = True
    """False: sync only when asked (Argo without `automated`); differences are reported."""
    force: bool = False
    """An object that cannot be changed in place is deleted and made anew."""
    replace: bool = False
    """A changed object is replaced as a whole; with `force` it is deleted and made anew (Argo's `Replace=true`)."""
    refuse_shared: bool = False
    """Nothing is applied while another App's marks are on any of the objects (Argo's `FailOnSharedResource`)."""
    validate: bool = True
    wait: bool = False
    health_checks: tuple[HealthCheck, ...] = ()
    health_expressions: tuple[HealthExpression, ...] = ()
    """For the objects that are waited for."""
    timeout: timedelta = timedelta(minutes=5)
    interval: timedelta = timedelta(minutes=10)
    retry: Retry
    depends_on: tuple[Dependency, ...] = ()
    service_account: str = ""
    """`namespace:name` to impersonate; empty: the controller's own rights."""
    deletion_policy: DeletionPolicy = DeletionPolicy.MIRROR_PRUNE
    delete_propagation: str = "Background"
    suspend: bool = False
    opt_out: OptOut


class App(Struct, frozen=True, kw_only=True):
    """What to keep true. `ref` is the resource it came from; `source` a source's ref, or the source itself."""

    ref: ObjectRef
    dialect: str
    generation: int
    source: SourceKey
    render: RenderSpec
    rules: SyncRules
    project: str = ""
    release: ReleaseSpec | None = None
    """Set: a Helm release, whose objects are those of its record."""
    target: Target | None = None
    """The cluster that its objects live in; None: the controller's own."""
    history_limit: int | None = None
    """How many deployments the status remembers; None: as many as the dialect says."""

    @property
    def reads_from(self) -> tuple[ObjectRef, ...]:
        """The ConfigMaps and Secrets whose data decide what the App is."""
        values = tuple(source.ref for source in self.release.values_from) if self.release is not None else ()
        return variables_used_by(self.render) + values
