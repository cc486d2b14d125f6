"""What every namespace has from its first moment: the account `default` and the cluster's certificate authority."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, KeysOf, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Create, Update, Work, Write
from trueup.model.manifest import Manifest, is_deleting

ACCOUNT, AUTHORITY = "default", "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


def furnish(namespace: Manifest, account: Manifest | None, authority: Manifest | None, root_ca: str) -> Work:
    """Makes what is missing, and puts back the certificate when somebody changed it."""
    if is_deleting(namespace):
        return NOTHING
    name = namespace["metadata"]["name"]
    writes: list[Write] = []
    if account is None:
        metadata = {"name": ACCOUNT, "namespace": name}
        writes.append(Create(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
    data = {"ca.crt": root_ca}
    if authority is None:
        metadata = {
            "name": AUTHORITY,
            "namespace": name,
            "annotations": {"kubernetes.io/description": _DESCRIPTION},
        }
        writes.append(
            Create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        )
    elif authority.get("data") != data:
        writes.append(Update(CONFIG_MAPS, {**authority, "data": data}))
    return Work(tuple(writes))


def controller(root_ca: str) -> Controller:
    def decide(view: View, key: Key) -> Work:
        namespace = view.get(NAMESPACES, "", key.name)
        if namespace is None:
            return NOTHING
        account = view.get(SERVICE_ACCOUNTS, key.name, ACCOUNT)
        return furnish(namespace, account, view.get(CONFIG_MAPS, key.name, AUTHORITY), root_ca)

    return Controller(
        name="namespace-furniture",
        decide=decide,
        triggers=(
            Trigger(NAMESPACES, itself),
            Trigger(SERVICE_ACCOUNTS, _named(ACCOUNT)),
            Trigger(CONFIG_MAPS, _named(AUTHORITY)),
        ),
    )


def _named(name: str) -> KeysOf:
    def keys_of(_: View, happened: Happened) -> Iterable[Key]:
        is_news = happened.old is not None or happened.new is None
        return (Key("", happened.key.namespace),) if happened.key.name == name and is_news else ()

    return keys_of
