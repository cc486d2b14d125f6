"""Stories of the official Python client (the `kubernetes` package): typed calls, watches, apply, the dynamic client.

Each story is a generator of answers in one namespace of its own. An answer is what the client handed to its caller, as
JSON, without what must differ between two runs; an error is its status and the Status that came with it.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config
import kubernetes.dynamic
import kubernetes.utils
import kubernetes.watch
import yaml

from tests.embedded.clients.plain import plain
from tests.embedded.clients.topic import Answer

# Bodies are plain mappings here, as users write them; the package takes those, and its annotations do not know.
client: Any = kubernetes.client
config: Any = kubernetes.config
dynamic: Any = kubernetes.dynamic
utils: Any = kubernetes.utils
watch: Any = kubernetes.watch

Call = Callable[..., Any]
Story = Callable[["Caller"], Iterator[tuple[str, Any]]]


class Caller:
    """An API client in one namespace."""

    def __init__(self, api: Any, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.core = client.CoreV1Api(api)
        self.apps = client.AppsV1Api(api)

    def ask(self, call: Call, *arguments: Any, **options: Any) -> Any:
        """What the call answers, or how it is refused."""
        try:
            return call(*arguments, **options)
        except client.ApiException as error:
            body = json.loads(error.body) if str(error.body).startswith("{") else error.body
            return {"status": error.status, "reason": error.reason, "body": body}

    def config_map(self, name: str, **data: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "labels": {"app": "shop"}}, "data": data}


def retry(condition: Callable[[], object], what: str, within: float = 30.0) -> None:
    """Returns when the condition holds: controllers take a moment. Raises AssertionError naming it."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)


def crud(at: Caller) -> Iterator[tuple[str, Any]]:
    """Create, read, list, patch, replace and delete, with the typed client."""
    core, space = at.core, at.namespace
    yield "create", at.ask(core.create_namespaced_config_map, space, at.config_map("a", colour="green"))
    yield "create again", at.ask(core.create_namespaced_config_map, space, at.config_map("a"))
    yield "create dry", at.ask(core.create_namespaced_config_map, space, at.config_map("dry"), dry_run="All")
    yield "create wrong", at.ask(core.create_namespaced_config_map, space, at.config_map("Not_Valid"))
    for name in ("b", "c"):
        at.ask(core.create_namespaced_config_map, space, at.config_map(name))
    yield "read", at.ask(core.read_namespaced_config_map, "a", space)
    yield "read absent", at.ask(core.read_namespaced_config_map, "absent", space)
    yield "list", at.ask(core.list_namespaced_config_map, space, label_selector="app=shop")
    first = core.list_namespaced_config_map(space, label_selector="app=shop", limit=2)
    yield "page", [each.metadata.name for each in first.items]
    rest = core.list_namespaced_config_map(
        space, label_selector="app=shop", limit=2, _continue=first.metadata._continue
    )
    yield "next page", [[each.metadata.name for each in rest.items], rest.metadata._continue]
    yield "selector", at.ask(core.list_namespaced_config_map, space, label_selector="app in")
    yield "fields", at.ask(core.list_namespaced_config_map, space, field_selector="metadata.name=b")
    body = {"data": {"size": "1"}}
    yield "patch", at.ask(core.patch_namespaced_config_map, "a", space, body)
    merge = {"data": {"size": None}}
    yield (
        "merge",
        at.ask(core.patch_namespaced_config_map, "a", space, merge, _content_type="application/merge-patch+json"),
    )
    steps = [{"op": "add", "path": "/data/steps", "value": "1"}]
    yield (
        "json patch",
        at.ask(core.patch_namespaced_config_map, "a", space, steps, _content_type="application/json-patch+json"),
    )
    stale = core.read_namespaced_config_map("a", space)
    at.ask(core.patch_namespaced_config_map, "a", space, {"data": {"newer": "yes"}})
    stale.data["older"] = "yes"
    yield "stale replace", at.ask(core.replace_namespaced_config_map, "a", space, stale)
    fresh = core.read_namespaced_config_map("a", space)
    fresh.data = {"only": "this"}
    yield "replace", at.ask(core.replace_namespaced_config_map, "a", space, fresh)
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="other"))
    yield "delete wrong uid", at.ask(core.delete_namespaced_config_map, "a", space, body=wrong)
    yield "delete", at.ask(core.delete_namespaced_config_map, "a", space)
    yield "delete absent", at.ask(core.delete_namespaced_config_map, "a", space)
    yield "delete all", at.ask(core.delete_collection_namespaced_config_map, space, label_selector="app=shop")
    yield "nothing left", at.ask(core.list_namespaced_config_map, space, label_selector="app=shop").items


def watching(at: Caller) -> Iterator[tuple[str, Any]]:
    """Watches from now, from then and from too long ago."""
    core, space = at.core, at.namespace
    core.create_namespaced_config_map(space, at.config_map("first"))
    since = core.list_namespaced_config_map(space).metadata.resource_version
    core.create_namespaced_config_map(space, at.config_map("second", a="1"))
    core.patch_namespaced_config_map("second", space, {"data": {"a": "2"}})
    core.delete_namespaced_config_map("second", space)

    def events(count: int, **options: Any) -> list[Any]:
        watcher, found = watch.Watch(), []
        for event in watcher.stream(core.list_namespaced_config_map, space, timeout_seconds=10, **options):
            found.append([event["type"], event["raw_object"]])
            if len(found) == count:
                watcher.stop()
        return found

    yield "since", events(3, resource_version=since)
    yield "from the list", events(1, label_selector="app=shop")
    yield (
        "ends in time",
        list(
            watch.Watch().stream(
                core.list_namespaced_config_map,
                space,
                label_selector="app=none",
                resource_version=since,
                timeout_seconds=1,
            )
        ),
    )
    yield "nonsense", at.ask(events, 1, resource_version="nonsense")


def applying(at: Caller) -> Iterator[tuple[str, Any]]:
    """Server-side apply by two managers."""
    core, space = at.core, at.namespace

    def apply(manager: str, force: bool = False, **data: str) -> Any:
        body = {"apiVersion": "v1", "kind": "ConfigMap", **at.config_map("applied", **data)}
        options = {"field_manager": manager, "force": force, "_content_type": "application/apply-patch+yaml"}
        return at.ask(core.patch_namespaced_config_map, "applied", space, body, **options)

    yield "create", apply("one", colour="green", size="1")
    yield "conflict", apply("two", colour="blue")
    yield "force", apply("two", force=True, colour="blue")
    yield "give up", apply("one", size="1")
    yield (
        "without a manager",
        at.ask(core.patch_namespaced_config_map, "applied", space, {}, _content_type="application/apply-patch+yaml"),
    )


def subresources(at: Caller) -> Iterator[tuple[str, Any]]:
    """Scale, status, eviction, tokens, logs."""
    core, apps, space = at.core, at.apps, at.namespace
    labels = {"app": "web"}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}},
    }
    yield "create", at.ask(apps.create_namespaced_deployment, space, {"metadata": {"name": "web"}, "spec": spec})
    yield "scale", at.ask(apps.read_namespaced_deployment_scale, "web", space)
    yield "scale up", at.ask(apps.patch_namespaced_deployment_scale, "web", space, {"spec": {"replicas": 1}})
    retry(lambda: apps.read_namespaced_deployment("web", space).status.ready_replicas == 1, "one pod is ready")
    status = apps.read_namespaced_deployment_status("web", space).status
    # Which controller writes its condition first is a matter of chance, on the real server too.
    yield "status", sorted([each.type, each.status, each.reason, each.message] for each in status.conditions)
    yield "wrong scale", at.ask(apps.patch_namespaced_deployment_scale, "web", space, {"spec": {"replicas": -1}})
    pod = core.list_namespaced_pod(space, label_selector="app=web").items[0].metadata.name
    yield "log of nobody", at.ask(core.read_namespaced_pod_log, "absent", space)
    yield "log of no container", at.ask(core.read_namespaced_pod_log, pod, space, container="absent")
    eviction = {"metadata": {"name": pod}}
    yield (
        "evict dry",
        at.ask(core.create_namespaced_pod_eviction, pod, space, {**eviction, "deleteOptions": {"dryRun": ["All"]}}),
    )
    yield "evict", at.ask(core.create_namespaced_pod_eviction, pod, space, eviction)
    yield "evict nobody", at.ask(core.create_namespaced_pod_eviction, "absent", space, {"metadata": {"name": "absent"}})
    request = {"spec": {"audiences": ["shop"], "expirationSeconds": 600}}
    token = at.ask(core.create_namespaced_service_account_token, "default", space, request)
    yield "token", [token.spec.audiences, token.spec.expiration_seconds, token.status.token.count(".")]
    review = client.AuthenticationV1Api(at.api).create_token_review(
        {"spec": {"token": token.status.token, "audiences": ["shop"]}}
    )
    yield "review", [review.status.authenticated, review.status.user.username, review.status.audiences]
    bad = client.AuthenticationV1Api(at.api).create_token_review({"spec": {"token": "wrong"}})
    yield "wrong token", [bad.status.authenticated, bad.status.user]
    asked = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": space}, "user": "jane"}}
    yield "may jane", at.ask(client.AuthorizationV1Api(at.api).create_subject_access_review, asked)
    own = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": space}}}
    yield "may I", at.ask(client.AuthorizationV1Api(at.api).create_self_subject_access_review, own)
    gone = at.ask(apps.delete_namespaced_deployment, "web", space, propagation_policy="Foreground")
    meta = at.api.sanitize_for_serialization(gone)["metadata"]  # its status is as far as pods are at the moment
    yield "delete", [meta["name"], meta["finalizers"], "deletionTimestamp" in meta]


_GADGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.python.example.com}
spec:
  group: python.example.com
  scope: Namespaced
  names: {plural: gadgets, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {size: {type: integer, minimum: 1, default: 2}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""


def dynamically(at: Caller) -> Iterator[tuple[str, Any]]:
    """Discovery, and objects of any kind, custom ones included."""
    space = at.namespace
    with tempfile.TemporaryDirectory() as folder:
        found = dynamic.DynamicClient(at.api, cache_file=str(Path(folder, "discovery.json")))
        yield "deployments", found.resources.get(api_version="apps/v1", kind="Deployment").to_dict()
        yield "by name", found.resources.get(api_version="v1", singular_name="configmap").to_dict()
        maps = found.resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", **at.config_map("dyn", a="1")}
        yield "create", maps.create(body=body, namespace=space).to_dict()
        yield (
            "apply",
            maps.server_side_apply(body=body, namespace=space, field_manager="py", force_conflicts=True).to_dict(),
        )
        yield "list", [each.metadata.name for each in maps.get(namespace=space, label_selector="app=shop").items]
        yield "delete", maps.delete(name="dyn", namespace=space).to_dict()
        definitions = found.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
        definitions.create(body=yaml.safe_load(_GADGETS))

        def served() -> bool:
            conditions = definitions.get(name="gadgets.python.example.com").to_dict()["status"].get("conditions") or ()
            return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

        retry(served, "gadgets are established")
        custom = client.CustomObjectsApi(at.api)
        where = ("python.example.com", "v1", space, "gadgets")
        retry(lambda: "items" in at.ask(custom.list_namespaced_custom_object, *where), "gadgets are served")
        gadget = {"apiVersion": "python.example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {}}
        yield "custom", at.ask(custom.create_namespaced_custom_object, *where, gadget)["spec"]
        yield (
            "custom wrong",
            at.ask(
                custom.patch_namespaced_custom_object,
                *where,
                "g",
                {"spec": {"size": 0}},
                _content_type="application/merge-patch+json",
            ),
        )
        yield (
            "custom status",
            at.ask(
                custom.patch_namespaced_custom_object_status,
                *where,
                "g",
                {"status": {"phase": "Ready"}},
                _content_type="application/merge-patch+json",
            )["status"],
        )
        yield (
            "custom list",
            [each["metadata"]["name"] for each in custom.list_namespaced_custom_object(*where)["items"]],
        )
        yield "custom delete", at.ask(custom.delete_namespaced_custom_object, *where, "g")
        definitions.delete(name="gadgets.python.example.com")


_TWO = """
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {a: b}
---
apiVersion: v1
kind: Service
metadata: {name: v}
spec: {ports: [{port: 80}]}
"""


def files(at: Caller) -> Iterator[tuple[str, Any]]:
    """Objects made from YAML, and what the servers say of themselves."""
    made = utils.create_from_yaml(at.api, yaml_objects=list(yaml.safe_load_all(_TWO)), namespace=at.namespace)
    yield "from yaml", made
    groups = (each.name for each in client.ApisApi(at.api).get_api_versions().groups)
    # Groups of custom kinds are other tests', and go a moment after their definitions.
    yield "groups", sorted(name for name in groups if not name.endswith(".example.com"))
    yield "resources", sorted(each.name for each in client.AppsV1Api(at.api).get_api_resources().resources)
    yield "versions", client.CoreApi(at.api).get_api_versions().versions
    yield "version", client.VersionApi(at.api).get_code().major


STORIES: dict[str, Story] = {
    "python-crud": crud,
    "python-watching": watching,
    "python-applying": applying,
    "python-subresources": subresources,
    "python-dynamically": dynamically,
    "python-files": files,
}


def play(kubeconfig: Path, wanted: Collection[str] = ()) -> dict[str, list[Answer]]:
    """The answers of each story (or of those wanted), in a namespace each."""
    api = config.new_client_from_config(str(kubeconfig))
    answers = {}
    try:
        for name, story in STORIES.items():
            if wanted and name not in wanted:
                continue
            at = Caller(api, name)
            at.core.create_namespace({"metadata": {"name": at.namespace}})
            retry(partial(_has_account, at), "the service account is there")
            answers[name] = [
                Answer(said, 0, plain(json.dumps(api.sanitize_for_serialization(value), indent=1, sort_keys=True)))
                for said, value in story(at)
            ]
    finally:
        api.close()
    return answers


def _has_account(at: Caller) -> bool:
    return bool(at.core.list_namespaced_service_account(at.namespace).items)
