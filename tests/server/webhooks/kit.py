"""Deliveries as the providers send them: their bodies, their headers, and the proof that each of them has."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from msgspec import Struct

from trueup.server.webhooks.delivery import Delivery

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "sesame"
SECRETS = {
    **{
        f"webhook.{name}.secret": SECRET
        for name in (
            "github", "gitlab", "gitea", "gogs", "bitbucketserver", "generic",
            "dockerhub", "harbor", "quay", "acr", "ecr",
        )
    },
    "webhook.bitbucket.uuid": SECRET,
    "webhook.azuredevops.username": "hook",
    "webhook.azuredevops.password": SECRET,
}  # fmt: skip


class Sample(Struct, frozen=True):
    """`signed` names the header that carries the body's HMAC, with what stands before the hex; `carried` one that carries the secret."""

    provider: str
    payload: str
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    signed: str = ""
    before: str = ""
    carried: str = ""

    def delivery(self, *, secret: str = SECRET, identity: str = "", body: bytes | None = None) -> Delivery:
        body = (PAYLOADS / f"{self.payload}.json").read_bytes() if body is None else body
        headers = {name.lower(): value.replace("{id}", identity or "1") for name, value in self.headers.items()}
        query = {key: value.replace("{secret}", secret) for key, value in self.query.items()}
        if self.signed:
            headers[self.signed.lower()] = self.before + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if self.carried:
            basic = base64.b64encode(f"hook:{secret}".encode()).decode()
            headers["authorization" if self.carried == "Basic" else self.carried.lower()] = (
                f"Basic {basic}" if self.carried == "Basic" else secret
            )
        return Delivery(headers=headers, query=query, body=body)


SAMPLES = [
    Sample(
        "github", "github-push", {"X-GitHub-Event": "push", "X-GitHub-Delivery": "{id}"},
        signed="X-Hub-Signature-256", before="sha256=",
    ),
    Sample(
        "github", "github-package", {"X-GitHub-Event": "registry_package", "X-GitHub-Delivery": "{id}"},
        signed="X-Hub-Signature-256", before="sha256=",
    ),
    Sample("gitlab", "gitlab-push", {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "{id}"}, carried="X-Gitlab-Token"),
    Sample("gitlab", "gitlab-tag", {"X-Gitlab-Event": "System Hook", "X-Gitlab-Event-UUID": "{id}"}, carried="X-Gitlab-Token"),
    Sample(
        "gitea", "gitea-push",
        {"X-Gitea-Event": "push", "X-Gogs-Event": "push", "X-GitHub-Event": "push", "X-Gitea-Delivery": "{id}"},
        signed="X-Gitea-Signature",
    ),
    Sample(
        "gitea", "gitea-push",
        {"X-Forgejo-Event": "push", "X-Gitea-Event": "push", "X-GitHub-Event": "push", "X-Gitea-Delivery": "{id}"},
        signed="X-Forgejo-Signature",
    ),
    Sample("gogs", "gogs-push", {"X-Gogs-Event": "push", "X-Gogs-Delivery": "{id}"}, signed="X-Gogs-Signature"),
    Sample("bitbucket", "bitbucket-push", {"X-Event-Key": "repo:push", "X-Request-UUID": "{id}"}, carried="X-Hook-UUID"),
    Sample(
        "bitbucketserver", "bitbucketserver-push", {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "{id}"},
        signed="X-Hub-Signature", before="sha256=",
    ),
    Sample("azuredevops", "azuredevops-push", {"X-Vss-Activityid": "7"}, carried="Basic"),
    Sample("dockerhub", "dockerhub-push", query={"type": "dockerhub", "secret": "{secret}"}),
    Sample("harbor", "harbor-push", query={"type": "harbor"}, carried="Authorization"),
    Sample("quay", "quay-push", query={"type": "quay", "secret": "{secret}"}),
    Sample("acr", "acr-push", query={"type": "acr"}, carried="Authorization"),
    Sample("ecr", "ecr-push", query={"type": "ecr"}, carried="Authorization"),
    Sample("generic", "generic-push", signed="X-Signature", before="sha256="),
]  # fmt: skip
IDS = [f"{sample.provider}-{sample.payload}-{number}" for number, sample in enumerate(SAMPLES)]
