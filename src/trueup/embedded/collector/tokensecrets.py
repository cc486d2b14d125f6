"""Secrets of the type `kubernetes.io/service-account-token`: filled for the account that their annotation names.

As the token controller does: a Secret whose account is missing, or is another one by now, goes.
https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets . Such a token has no end that anybody
lives to see; it is worth something as long as its Secret and its account are there. Its claims are those of bound tokens.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from trueup.embedded.storage.keys import Key
from trueup.embedded.workloads.controller import Controller, Trigger, itself
from trueup.embedded.workloads.informer import Happened
from trueup.embedded.workloads.kinds import SECRETS, SERVICE_ACCOUNTS
from trueup.embedded.workloads.view import View
from trueup.embedded.workloads.writes import NOTHING, Work, delete_of, patch_of
from trueup.model.manifest import Manifest, is_deleting, metadata_of, name_of, namespace_of, uid_of

TYPE = "kubernetes.io/service-account-token"
ACCOUNT, ACCOUNT_UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"

Issue = Callable[[Manifest, Manifest], str]
"""The token of an account (first) that is bound to a Secret (second)."""


def settle(secret: Manifest, account: Manifest | None, issue: Issue, root_ca: str) -> Work:
    """Fills what is missing, or ends a Secret that belongs to nobody."""
    if secret.get("type") != TYPE or is_deleting(secret):
        return NOTHING
    annotations = metadata_of(secret).get("annotations") or {}
    if account is None or annotations.get(ACCOUNT_UID) not in (None, "", uid_of(account)):
        return Work((delete_of(SECRETS, secret),))
    data = secret.get("data") or {}
    missing = {}
    if not data.get("ca.crt"):
        missing["ca.crt"] = root_ca
    if not data.get("namespace"):
        missing["namespace"] = namespace_of(secret)
    if not data.get("token"):
        missing["token"] = issue(account, secret)
    if not missing and annotations.get(ACCOUNT_UID):
        return NOTHING
    patch = {
        "metadata": {"annotations": {ACCOUNT_UID: uid_of(account)}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in missing.items()},
    }
    return Work((patch_of(SECRETS, secret, patch),))


def controller(issue: Issue, root_ca: str) -> Controller:
    def decide(view: View, key: Key) -> Work:
        secret = view.get(SECRETS, *key)
        if secret is None or secret.get("type") != TYPE:
            return NOTHING
        name = (metadata_of(secret).get("annotations") or {}).get(ACCOUNT) or ""
        return settle(secret, view.get(SERVICE_ACCOUNTS, key.namespace, name), issue, root_ca)

    return Controller(
        name="token-secrets",
        decide=decide,
        triggers=(Trigger(SECRETS, itself), Trigger(SERVICE_ACCOUNTS, _secrets_of_account)),
        workers=2,
    )


def _secrets_of_account(view: View, happened: Happened) -> Iterable[Key]:
    if happened.new is not None and happened.old is not None:
        return ()
    return [
        Key(happened.key.namespace, name_of(secret))
        for secret in view.list(SECRETS, happened.key.namespace)
        if secret.get("type") == TYPE
        and (metadata_of(secret).get("annotations") or {}).get(ACCOUNT) == happened.key.name
    ]
