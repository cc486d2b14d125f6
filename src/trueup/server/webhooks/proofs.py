"""How a delivery proves that it comes from who knows the secret. Every comparison takes the same time whatever differs."""

from __future__ import annotations

import hashlib
import hmac

from trueup.server.webhooks.delivery import Delivery, Refused


def prove_signature(given: str, delivery: Delivery, secret: str, *, header: str) -> None:
    """`given` is `sha256=<hex>` or the bare hex of the body's HMAC. Raises Refused."""
    if not given:
        raise Refused(
            401, f"the delivery is not signed: there is no {header}; enter the secret in the webhook's settings"
        )
    algorithm, _, signature = given.rpartition("=")
    if algorithm not in ("", "sha256"):
        raise Refused(401, f"{header} is made with {algorithm}; only sha256 is taken")
    wanted = hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.lower().encode(), wanted.encode()):
        raise Refused(401, f"{header} does not fit: the webhook and argocd-secret have different secrets")


def prove_token(given: str, secret: str, *, where: str) -> None:
    """A secret that is sent as it is. Raises Refused."""
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refused(401, f"{where} does not fit: the webhook and argocd-secret have different secrets")
