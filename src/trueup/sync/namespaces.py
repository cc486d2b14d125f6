"""The destination's namespace as an object of the App: Argo CD's `CreateNamespace=true` with managedNamespaceMetadata.

Its labels and annotations are kept like any declared field: applied by the App's field manager, compared, healed. It
carries no owner marks, so nothing ever prunes it or deletes it with the App; that is as in Argo CD, where a namespace made
for an App outlives it. Making a namespace of which nothing is to be kept is `plan.create_namespace`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable

from trueup.model.app import SyncRules
from trueup.model.refs import ObjectRef
from trueup.sync.canonical import keyed_digest
from trueup.sync.desired import Desired


def managed_namespace(rules: SyncRules, declared: Iterable[ObjectRef], secret_key: bytes) -> Desired | None:
    """What to apply besides what is declared; None: nothing.

    A namespace that Git declares itself says all there is to say of it. Where nothing is declared nothing is added, so
    that an empty render stays one (`plan.WouldPruneAll`).
    """
    name, said = rules.default_namespace, rules.namespace_metadata
    refs = set(declared)
    ref = ObjectRef("", "Namespace", "", name)
    if not rules.create_namespace or not name or said is None or not refs or ref in refs:
        return None
    metadata: dict[str, object] = {"name": name}
    if said.labels:
        metadata["labels"] = dict(said.labels)
    if said.annotations:
        metadata["annotations"] = dict(said.annotations)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return Desired(ref=ref, version="v1", manifest=manifest, digest=keyed_digest(manifest, secret_key))
