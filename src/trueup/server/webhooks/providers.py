"""Who sent a delivery, how it proves that, and what it says: one row per provider.

Gitea and Forgejo also send GitHub's and Gogs' headers, so the order matters. Registries have no header of their own: their
address says who they are (`?type=harbor`). Secrets are those of Argo CD's `argocd-secret`, and some more of the same form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from msgspec import Struct

from trueup.model.news import News
from trueup.server.webhooks import forges, registries
from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.proofs import prove_signature, prove_token

Secrets = Mapping[str, str]


class Provider(Struct, frozen=True, kw_only=True):
    """`keys` are the names of its secrets, any of which turns the provider on."""

    name: str
    keys: tuple[str, ...]
    recognise: Callable[[Delivery], bool]
    prove: Callable[[Delivery, Secrets], None]
    read: Callable[[Delivery], list[News]]
    identify: Callable[[Delivery], str] = lambda _: ""
    """What no two deliveries share; empty: there is no such thing, and a repeated one is one more look at a remote."""
    timed: bool = False
    """Whether the body says when the event was, so that no two are alike. It is what is signed; an id in a header is not."""

    def news(self, delivery: Delivery, secrets: Secrets) -> list[News]:
        """Raises Refused for what is not proved or cannot be read."""
        if not any(secrets.get(key) for key in self.keys):
            raise Refused(401, f"webhooks of {self.name} are off: set {' or '.join(self.keys)} in argocd-secret")
        self.prove(delivery, secrets)
        return self.read(delivery)

    def marks(self, delivery: Delivery) -> tuple[bytes, ...]:
        """By which the same delivery is known again, each of one length however long what it is made of."""
        told = (("id", self.identify(delivery).encode()), ("body", delivery.body if self.timed else b""))
        return tuple(
            hashlib.blake2b(f"{self.name}\0{kind}\0".encode() + text, digest_size=16).digest()
            for kind, text in told
            if text
        )


def provider_of(delivery: Delivery) -> Provider:
    """Raises Refused when nobody is recognised."""
    for provider in PROVIDERS:
        if provider.recognise(delivery):
            return provider
    names = ", ".join(provider.name for provider in PROVIDERS)
    raise Refused(400, f"no webhook that is known here: {names}; a registry's URL ends with ?type=NAME")


def _has(header: str) -> Callable[[Delivery], bool]:
    return lambda delivery: bool(delivery.header(header))


def _typed(name: str) -> Callable[[Delivery], bool]:
    return lambda delivery: delivery.query.get("type") == name


def _header(name: str) -> Callable[[Delivery], str]:
    return lambda delivery: delivery.header(name)


class _Numbered(Struct):
    id: str = ""


def _id_in_body(delivery: Delivery) -> str:
    return delivery.read(_Numbered).id


def _signed(key: str, *headers: str) -> Callable[[Delivery, Secrets], None]:
    def prove(delivery: Delivery, secrets: Secrets) -> None:
        given = next((delivery.header(header) for header in headers if delivery.header(header)), "")
        prove_signature(given, delivery, secrets[key], header=" or ".join(headers))

    return prove


def _gitlab(delivery: Delivery, secrets: Secrets) -> None:
    prove_token(delivery.header("X-Gitlab-Token"), secrets["webhook.gitlab.secret"], where="X-Gitlab-Token")


def _bitbucket(delivery: Delivery, secrets: Secrets) -> None:
    """By a signature where there is a secret for one; by the webhook's id otherwise, as Argo CD does."""
    if secret := secrets.get("webhook.bitbucket.secret"):
        prove_signature(delivery.header("X-Hub-Signature"), delivery, secret, header="X-Hub-Signature")
    else:
        prove_token(delivery.header("X-Hook-UUID"), secrets["webhook.bitbucket.uuid"], where="X-Hook-UUID")


def _azure(delivery: Delivery, secrets: Secrets) -> None:
    user, password = delivery.password()
    prove_token(user, secrets.get("webhook.azuredevops.username", ""), where="the user of basic authentication")
    prove_token(password, secrets["webhook.azuredevops.password"], where="the password of basic authentication")


def _carried(key: str) -> Callable[[Delivery, Secrets], None]:
    """In the Authorization header where the registry can send one, else in the address."""

    def prove(delivery: Delivery, secrets: Secrets) -> None:
        header = delivery.header("Authorization")
        given = header.removeprefix("Bearer ") if header else delivery.query.get("secret", "")
        prove_token(given, secrets[key], where="the Authorization header or ?secret=")

    return prove


def _github(delivery: Delivery) -> list[News]:
    event = delivery.header("X-GitHub-Event")
    return (
        registries.ghcr(delivery) if event in ("package", "registry_package") else forges.github_like(event, delivery)
    )


def _gitea(delivery: Delivery) -> list[News]:
    return forges.github_like(delivery.header("X-Forgejo-Event") or delivery.header("X-Gitea-Event"), delivery)


def _registry(
    name: str, read: Callable[[Delivery], list[News]], identify: Callable[[Delivery], str] = lambda _: ""
) -> Provider:
    key = f"webhook.{name}.secret"
    return Provider(name=name, keys=(key,), recognise=_typed(name), prove=_carried(key), read=read, identify=identify)


PROVIDERS: tuple[Provider, ...] = (
    _registry("dockerhub", registries.docker_hub),
    _registry("harbor", registries.harbor),
    _registry("quay", registries.quay),
    _registry("acr", registries.acr, _id_in_body),
    _registry("ecr", registries.ecr, _id_in_body),
    Provider(
        name="gitea",
        keys=("webhook.gitea.secret",),
        recognise=lambda delivery: _has("X-Gitea-Event")(delivery) or _has("X-Forgejo-Event")(delivery),
        prove=_signed("webhook.gitea.secret", "X-Forgejo-Signature", "X-Gitea-Signature"),
        read=_gitea,
        identify=_header("X-Gitea-Delivery"),
        timed=True,
    ),
    Provider(
        name="gogs",
        keys=("webhook.gogs.secret",),
        recognise=_has("X-Gogs-Event"),
        prove=_signed("webhook.gogs.secret", "X-Gogs-Signature"),
        read=lambda delivery: forges.github_like(delivery.header("X-Gogs-Event"), delivery),
        identify=_header("X-Gogs-Delivery"),
        timed=True,
    ),
    Provider(
        name="github",
        keys=("webhook.github.secret",),
        recognise=_has("X-GitHub-Event"),
        prove=_signed("webhook.github.secret", "X-Hub-Signature-256"),
        read=_github,
        identify=_header("X-GitHub-Delivery"),
        timed=True,
    ),
    Provider(
        name="gitlab",
        keys=("webhook.gitlab.secret",),
        recognise=_has("X-Gitlab-Event"),
        prove=_gitlab,
        read=forges.gitlab,
        identify=_header("X-Gitlab-Event-UUID"),
    ),
    Provider(
        name="bitbucket",
        keys=("webhook.bitbucket.secret", "webhook.bitbucket.uuid"),
        recognise=lambda delivery: _has("X-Event-Key")(delivery) and _has("X-Hook-UUID")(delivery),
        prove=_bitbucket,
        read=lambda delivery: forges.bitbucket_cloud(delivery.header("X-Event-Key"), delivery),
        identify=_header("X-Request-UUID"),
    ),
    Provider(
        name="bitbucketserver",
        keys=("webhook.bitbucketserver.secret",),
        recognise=_has("X-Event-Key"),
        prove=_signed("webhook.bitbucketserver.secret", "X-Hub-Signature"),
        read=lambda delivery: forges.bitbucket_server(delivery.header("X-Event-Key"), delivery),
        identify=_header("X-Request-Id"),
        timed=True,
    ),
    Provider(
        name="azuredevops",
        keys=("webhook.azuredevops.password",),
        recognise=_has("X-Vss-Activityid"),
        prove=_azure,
        read=forges.azure_devops,
        identify=_id_in_body,
    ),
    Provider(
        name="generic",
        keys=("webhook.generic.secret",),
        recognise=_has("X-Signature"),
        prove=_signed("webhook.generic.secret", "X-Signature"),
        read=forges.generic,
        identify=_id_in_body,
    ),
)
