"""An App, its cluster and what the controller would remember: enough to say in a test what happens over several syncs."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from tests.sync.cluster import NOW, Cluster
from trueup.model.app import OptOut, Owner, Retry, SyncRules
from trueup.model.change import Action, Change
from trueup.model.inventory import Inventory
from trueup.model.manifest import Declared, Manifest, Origin
from trueup.model.refs import ObjectRef
from trueup.sync.execute import Execution, execute
from trueup.sync.facts import Absent, AppliedRecord, Lens, LiveFacts, reduce_live
from trueup.sync.normalise import normalise, resolve_scopes
from trueup.sync.outcomes import Outcome
from trueup.sync.plan import Plan, make_plan

KEY = b"a key of this process"
FLUX_OPT_OUT = OptOut(
    never_prune=(("kustomize.toolkit.fluxcd.io/prune", "disabled"),),
    never_delete=(("kustomize.toolkit.fluxcd.io/prune", "disabled"),),
    never_apply=(("kustomize.toolkit.fluxcd.io/reconcile", "disabled"), ("kustomize.toolkit.fluxcd.io/ssa", "ignore")),
    only_create=(("kustomize.toolkit.fluxcd.io/ssa", "ifnotpresent"),),
    merge=(("kustomize.toolkit.fluxcd.io/ssa", "merge"),),
    force=(("kustomize.toolkit.fluxcd.io/force", "enabled"),),
)
ARGO_OPT_OUT = OptOut(
    never_prune=(("argocd.argoproj.io/sync-options", "prune=false"),),
    never_delete=(("argocd.argoproj.io/sync-options", "delete=false"), ("helm.sh/resource-policy", "keep")),
    options_annotation="argocd.argoproj.io/sync-options",
)
FLUX_OWNER = Owner({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"})


def rules(**changes: Any) -> SyncRules:
    """A Flux Kustomization's, with prune on."""
    values: dict[str, Any] = {
        "owner": FLUX_OWNER,
        "field_manager": "kustomize-controller",
        "takeover_managers": ("kubectl*", "before-first-apply"),
        "default_namespace": "shop",
        "prune": True,
        "retry": Retry(first=timedelta(seconds=10)),
        "opt_out": FLUX_OPT_OUT,
    }
    return SyncRules(**(values | changes))


def argo_rules(**changes: Any) -> SyncRules:
    return rules(
        **(
            {
                "owner": Owner(tracking_id_prefix="shop:"),
                "field_manager": "argocd-controller",
                "takeover_managers": ("kubectl-client-side-apply",),
                "opt_out": ARGO_OPT_OUT,
            }
            | changes
        )
    )


class World:
    """Runs whole syncs and remembers between them what a controller would."""

    def __init__(self, sync_rules: SyncRules | None = None) -> None:
        self.cluster = Cluster()
        self.rules = sync_rules or rules()
        self.records: dict[ObjectRef, AppliedRecord] = {}
        self.inventory = Inventory()
        self.outcomes: list[Outcome] = []
        self.blind: set[ObjectRef] = set()
        """What the live view has not looked at."""

    def live(self) -> dict[ObjectRef, LiveFacts | Absent]:
        lens = Lens.of(self.rules, KEY)
        view: dict[ObjectRef, LiveFacts | Absent] = {}
        for ref in {*self.cluster.objects, *self.records, *self.inventory.refs} - self.blind:
            obj = self.cluster.objects.get(ref)
            view[ref] = reduce_live(obj, self.records.get(ref), lens, NOW) if obj else Absent()
        return view

    async def plan(self, manifests: list[Manifest], **options: Any) -> Plan:
        declared = [
            Declared(copy.deepcopy(manifest), Origin("apps/shop.yaml", 1 + 10 * index))
            for index, manifest in enumerate(manifests)
        ]
        scopes = await resolve_scopes(declared, self.cluster.client("nobody"))
        desired = normalise(declared, scopes, self.rules, secret_key=KEY, tainted=options.pop("tainted", False)).objects
        live = self.live()
        for item in desired:
            if item.ref not in live and item.ref not in self.blind:
                live[item.ref] = Absent()
        return make_plan(desired, self.records, live, self.inventory, self.rules, **options)

    async def run(self, plan: Plan, *, in_flight: int = 8) -> Execution:
        if plan.write_ahead is not None:
            self.inventory = plan.write_ahead

        async def established(crd: Manifest) -> None:
            return None

        def remember(outcome: Outcome) -> None:
            self.outcomes.append(outcome)
            if outcome.record is not None:
                self.records[outcome.record.ref] = outcome.record

        execution = await execute(
            plan,
            self.cluster.client(self.rules.field_manager),
            self.rules,
            in_flight=in_flight,
            secret_key=KEY,
            on_change=remember,
            established=established,
        )
        self.inventory = execution.inventory
        for ref in execution.forgotten:
            self.records.pop(ref, None)
        return execution

    async def sync(self, *manifests: Manifest, **options: Any) -> Execution:
        self.cluster.requests.clear()
        return await self.run(await self.plan(list(manifests), **options))


def change_of(execution: Execution, name: str) -> Change:
    return next(change for change in execution.report.changes if change.ref.name == name)


def actions(execution: Execution) -> dict[str, Action]:
    return {str(change.ref): change.action for change in execution.report.changes}


def config_map(name: str = "settings", namespace: str = "shop", **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(name: str = "web", *, replicas: int | None = 2, image: str = "web:1", **metadata: Any) -> Manifest:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": spec,
    }


def ref(kind: str, name: str, namespace: str = "shop", group: str = "") -> ObjectRef:
    return ObjectRef(group, kind, namespace, name)


WEB = ref("Deployment", "web", group="apps")
SETTINGS = ref("ConfigMap", "settings")


def refuse_kind(kind: str, error: Exception) -> Any:
    def refuse(verb: str, obj: Manifest) -> None:
        if obj["kind"] == kind and verb == "apply":
            raise error

    return refuse
