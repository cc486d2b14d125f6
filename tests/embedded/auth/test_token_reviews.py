"""Tokens that are good, for others, over, bound to what is gone, or forged: what a review and a request with them are
answered, compared whole with the real server."""

import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.embedded.api.comparing import Server, scrubbed
from tests.embedded.auth.forging import Forger, claims_of
from tests.embedded.fixtures import EmbeddedCluster
from tests.embedded.recording import known, proven
from tests.peers.controlplane import ControlPlane

RECORDED = Path(__file__).parent / "token-reviews-recorded.json"
NAMESPACE = "token-reviews"
ROOT = f"/api/v1/namespaces/{NAMESPACE}"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_ISSUER = re.compile(r"https://kubernetes\.default\.svc(\.cluster\.local)?")
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]*\.[\w-]*")


@asynccontextmanager
async def stranger(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that brings no certificate."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(server.tls.get_ca_certs(binary_form=True)[0]))
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


class Bank:
    """Tokens of every sort, from one server."""

    def __init__(self, server: Server, forger: Forger) -> None:
        self._server = server
        self._forger = forger

    async def prepare(self) -> None:
        await self._server.send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        for account in ("default", "runner", "leaver", "returner"):
            await self._server.send("POST", f"{ROOT}/serviceaccounts", {"metadata": {"name": account}})
        spec = {"serviceAccountName": "runner", "containers": [{"name": "c", "image": "i"}]}
        for name in ("kept", "lost"):
            status, _ = await self._server.send("POST", f"{ROOT}/secrets", {"metadata": {"name": name}})
            assert status == 201
            status, answer = await self._server.send("POST", f"{ROOT}/pods", {"metadata": {"name": name}, "spec": spec})
            assert status == 201, answer

    async def issued(self, account: str = "runner", **spec: Any) -> str:
        path = f"{ROOT}/serviceaccounts/{account}/token"
        status, answer = await self._server.send("POST", path, {"spec": spec})
        assert status == 201, answer
        return str(answer["status"]["token"])

    async def tokens(self) -> dict[str, str]:
        """By what they are."""
        good = await self.issued()
        claims, forged = claims_of(good), self._forger.forged
        about = claims["kubernetes.io"]
        found = {
            "good": good,
            "for another audience": await self.issued(audiences=["vault"]),
            "for several audiences": await self.issued(audiences=["vault", *claims["aud"]]),
            "bound to a pod": await self._bound("Pod", "kept"),
            "bound to a secret": await self._bound("Secret", "kept"),
            "bound to a pod that is gone": await self._bound("Pod", "lost"),
            "bound to a secret that is gone": await self._bound("Secret", "lost"),
            "of an account that is gone": await self.issued("leaver"),
            "of an account that was made anew": await self.issued("returner"),
            "over": forged(good, exp=claims["iat"] - 60, nbf=claims["iat"] - 600, iat=claims["iat"] - 600),
            "not valid yet": forged(good, nbf=claims["iat"] + 3000),
            "of no end": forged(good, exp=None),
            "of another issuer": forged(good, iss="https://issuer.example.com"),
            "of no issuer": forged(good, iss=None),
            "for nobody": forged(good, aud=[]),
            "for one audience as a text": forged(good, aud="vault"),
            "of another subject": forged(good, sub="system:serviceaccount:kube-system:admin"),
            "of no account": forged(good, **{"kubernetes.io": None}),
            "of another account's uid": forged(
                good, **{"kubernetes.io": about | {"serviceaccount": {"name": "runner", "uid": "0"}}}
            ),
            "of an account that never was": forged(
                good,
                sub=f"system:serviceaccount:{NAMESPACE}:none",
                **{"kubernetes.io": about | {"serviceaccount": {"name": "none", "uid": "0"}}},
            ),
            "with another signature": good[:-8] + "AAAAAAAA",
            "without a signature": good.rpartition(".")[0] + ".",
            "no token": "nonsense",
            "half a token": "a.b",
            "empty parts": "..",
        }
        for kind, name in (
            ("pods", "lost"),
            ("secrets", "lost"),
            ("serviceaccounts", "leaver"),
            ("serviceaccounts", "returner"),
        ):
            await self._server.send("DELETE", f"{ROOT}/{kind}/{name}?gracePeriodSeconds=0")
        await self._server.send("POST", f"{ROOT}/serviceaccounts", {"metadata": {"name": "returner"}})
        return found

    async def _bound(self, kind: str, name: str) -> str:
        return await self.issued(boundObjectRef={"apiVersion": "v1", "kind": kind, "name": name})


def comparable(answer: Any, audiences: list[str]) -> Any:
    text = json.dumps(scrubbed(answer))
    for audience in audiences:
        text = text.replace(json.dumps(audience), '"<audience>"')
    return json.loads(_TOKEN.sub("<token>", _ISSUER.sub("<issuer>", text)))


async def answers_of(server: Server, key: Path) -> dict[str, Any]:
    """Of each token: reviews for no audience, its own and another, and a request with it."""
    bank = Bank(server, Forger(key))
    await bank.prepare()
    tokens = await bank.tokens()
    usual = claims_of(tokens["good"])["aud"]
    said: dict[str, Any] = {}
    async with stranger(server) as session:
        for title, token in tokens.items():
            for audiences in ([], ["vault"], ["none", "vault"]):
                spec = {"token": token} | ({"audiences": audiences} if audiences else {})
                answer = await server.send("POST", REVIEWS, {"spec": spec})
                said[f"{title}, for {audiences}"] = comparable(list(answer), usual)
            headers = {"Authorization": f"Bearer {token}"}
            for method, path, body in (("POST", WHO, {}), ("GET", f"{ROOT}/pods", None), ("GET", "/readyz", None)):
                async with session.request(method, path, json=body, headers=headers) as response:
                    raw, kind = await response.read(), response.content_type
                answered = json.loads(raw) if "json" in kind else raw.decode()
                said[f"{title}: {method} {path}"] = comparable([response.status, answered], usual)
        for header in ("Bearer", "Bearer ", "Basic YTpi", "bearer nonsense", "Nonsense", "Bearer a b"):
            async with session.get("/readyz", headers={"Authorization": header}) as response:
                said[f"Authorization: {header}"] = [response.status, (await response.read()).decode()]
    for title, spec in (("no token", {}), ("an empty token", {"token": ""}), ("an audience", {"audiences": ["x"]})):
        said[f"a review of {title}"] = comparable(list(await server.send("POST", REVIEWS, {"spec": spec})), usual)
    named = {
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"token": "nonsense"},
        "status": {"authenticated": True},
    }
    said["a review with a name"] = comparable(list(await server.send("POST", REVIEWS, named)), usual)
    said["a dry run of a review"] = comparable(
        list(await server.send("POST", f"{REVIEWS}?dryRun=All", {"spec": {"token": "nonsense"}})), usual
    )
    return said


async def test_tokens_are_judged_as_by_the_real_server(bare_embedded_cluster: EmbeddedCluster) -> None:
    recorded = known(RECORDED)
    key = bare_embedded_cluster.folder / "data" / "pki" / "service-account.key"
    async with Server(bare_embedded_cluster.kubeconfig) as server:
        said = await answers_of(server, key)
    assert said.keys() == recorded.keys()
    wrong = {title: (answer, recorded[title]) for title, answer in said.items() if answer != recorded[title]}
    assert not wrong, "\n".join(f"{title}\n  ours {ours}\n  real {real}" for title, (ours, real) in wrong.items())


@pytest.mark.real
async def test_the_record_is_what_the_real_server_says(bare_control_plane: ControlPlane) -> None:
    async with Server(bare_control_plane.kubeconfig) as server:
        proven(RECORDED, await answers_of(server, bare_control_plane.service_account_key))
