"""Objects that are replaced as a whole: Argo CD's `Replace=true`, which is `kubectl replace`, and with `Force=true` delete and create.

What others added goes with the old object. CRDs and Namespaces are only ever updated, because their deletion takes everything in them
along. An apply and its takeover follow a replacement, so that the fields are ours as after any other. Rules: gitops-engine, `applyObject`.
"""

from __future__ import annotations

from trueup.model.manifest import Manifest, metadata_of, resource_version_of, spec_of
from trueup.model.refs import ObjectRef
from trueup.sync.autoscaling import declares_replicas, with_replicas
from trueup.sync.plan import Send, Why

_KEPT = frozenset({("apiextensions.k8s.io", "CustomResourceDefinition"), ("", "Namespace")})


def may_be_recreated(ref: ObjectRef) -> bool:
    return (ref.group, ref.kind) not in _KEPT


def is_recreated(send: Send) -> bool:
    """Whether the live object makes way for a new one. Not where all that is known is that nothing is known: after a restart
    without a state, every object would be made anew."""
    return send.replace and send.force and may_be_recreated(send.ref) and send.why is not Why.UNKNOWN


def replacement(send: Send, manifest: Manifest, live: Manifest) -> Manifest:
    """The body of the PUT: the declaration at the live object's version; replicas that an autoscaler decides stay as they are."""
    if declares_replicas(send.desired.manifest) and not declares_replicas(manifest):
        replicas = spec_of(live).get("replicas")
        manifest = with_replicas(manifest, replicas if isinstance(replicas, int) else None)
    metadata = {**metadata_of(manifest), "resourceVersion": resource_version_of(live)}
    return {**manifest, "metadata": metadata}
