"""A real OpenID provider that is killed, comes back or has forgotten everybody, and clocks that go wrong: at a real server's process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec import Struct

from tests.e2e.stack import Stack, until
from tests.embedded.fixtures import running_cluster
from tests.peers.kubectl import Kubectl
from tests.peers.oidcprovider import CLIENT_ID, CLIENT_SECRET, OidcProvider, running_oidc_provider
from tests.proof.door import Door
from tests.server.identity.sso.browser import Browser

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("proof")]

FRESH = 125.0
"""Seconds after which a session is asked anew at its provider: the access tokens of this one last 120."""
AGAIN = 31.0
"""Seconds after which a provider that did not answer is asked again."""


class SignedOn(Struct):
    """A server whose clock the test turns, and its provider."""

    door: Door
    provider: OidcProvider
    shift: Path

    def turn(self, seconds: float) -> None:
        """By so many seconds onward."""
        self.set_clock(float(self.shift.read_text()) + seconds)

    def set_clock(self, seconds: float) -> None:
        """So many seconds before the provider's."""
        draft = self.shift.with_suffix(".new")
        draft.write_text(str(seconds))
        draft.replace(self.shift)

    @property
    def login(self) -> str:
        return f"{self.door.url}/auth/login?return_url=/x"

    async def me(self, browser: Browser) -> tuple[int, dict[str, Any]]:
        async with browser.http.get(f"{self.door.url}/api/trueup/v1/session") as answer:
            return answer.status, await answer.json()

    def said(self) -> str:
        """The last thing in the server's log on a login that did not succeed."""
        lines = [json.loads(line) for line in self.door.process.log.splitlines() if "did not succeed" in line]
        return str(lines[-1]["problem"])


@pytest.fixture(scope="module")
def cluster(kubectl: Kubectl) -> Iterator[Stack]:
    """A cluster for servers alone: nobody else is needed for signing in."""
    with running_cluster() as running, tempfile.TemporaryDirectory(prefix="trueup-sso-") as folder:
        stack = Stack(Path(folder), running.kubeconfig, kubectl, running)
        stack.define()
        yield stack
        stack.api.close()


@pytest.fixture
async def on(cluster: Stack) -> AsyncIterator[SignedOn]:
    shift = cluster.folder / "shift"
    shift.write_text("0")
    door = Door(cluster, "signing-on", shift=shift)
    callback = f"{door.url}/auth/callback"
    async with running_oidc_provider(redirects=[callback], after_logout=[f"{door.url}/login"]) as provider:
        entry = {
            "id": "test", "type": "oidc", "issuer": provider.issuer, "clientID": CLIENT_ID, "clientSecret": CLIENT_SECRET,
            "scopes": ["openid", "email", "groups", "offline_access"], "allowHTTP": True,
        }  # fmt: skip
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "argocd-cm",
                    "namespace": "argocd",
                    "labels": {"app.kubernetes.io/part-of": "argocd"},
                },
                "data": {"url": door.url, "trueup.sso": json.dumps([entry])},
            }
        )
        door.start()
        try:
            until(lambda: _sends_to(door, provider.issuer), within=30, what="the provider is known")
            door.sign_in()
            yield SignedOn(door, provider, shift)
        finally:
            door.stop()
            cluster.kubectl("delete", "configmap", "argocd-cm", "-n", "argocd")


def _sends_to(door: Door, issuer: str) -> bool:
    answer = requests.get(f"{door.url}/auth/login", allow_redirects=False, timeout=10)
    return answer.headers.get("Location", "").startswith(issuer)


async def test_a_login_outlives_its_provider_and_follows_it_again_when_it_is_back(on: SignedOn) -> None:
    async with Browser() as alice, Browser() as late:
        await alice.sign_in(on.login, "alice", until=f"{on.door.url}/x")
        assert (await on.me(alice))[1]["groups"] == ["team-a"]
        callback, _, _ = await late.sign_in(on.login, "bob", until=f"{on.door.url}/auth/callback")
        await on.provider.set_person("alice", {"groups": ["team-b"]})
        await on.provider.child.kill()
        # Between login and refresh: who is in stays in as they were, who comes in is told why they cannot, others do not notice.
        on.turn(FRESH)
        status, body = await on.me(alice)
        assert (status, body["groups"]) == (200, ["team-a"])
        place, _, _ = await late.go(callback, until=f"{on.door.url}/login")
        assert place == f"{on.door.url}/login?error=ProviderUnreachable"
        assert on.door.ask("GET", "/apps")[0] == 200
        await on.provider.start()
        on.turn(AGAIN)
        status, body = await on.me(alice)
        assert (status, body["groups"]) == (200, ["team-b"]), "asked anew by itself"
        await late.sign_in(on.login, "bob", until=f"{on.door.url}/x")
        assert (await on.me(late))[0] == 200
        # It comes back from a backup that knows nobody's login: they sign in again.
        await on.provider.forget()
        on.turn(FRESH)
        status, body = await on.me(alice)
        assert (status, body["reason"]) == (401, "Unauthenticated")
        assert body["hint"]
    async with Browser() as anew:
        await anew.sign_in(on.login, "alice", until=f"{on.door.url}/x")
        assert (await on.me(anew))[1]["groups"] == ["team-b"]


async def test_clocks_that_differ_by_seconds_do_no_harm_and_by_minutes_are_named(on: SignedOn) -> None:
    for seconds in (-45.0, 45.0):
        on.set_clock(seconds)
        async with Browser() as browser:
            await browser.sign_in(on.login, "alice", until=f"{on.door.url}/x")
            assert (await on.me(browser))[0] == 200, seconds
    on.set_clock(0)
    for seconds, why in ((-300.0, "look at the clocks"), (900.0, "it has expired")):
        async with Browser() as browser:
            on.set_clock(seconds)
            place, _, _ = await browser.sign_in(on.login, "alice", until=f"{on.door.url}/login?")
            assert place == f"{on.door.url}/login?error=Unauthenticated"
            on.set_clock(0)
            assert why in on.said(), on.said()
            await browser.sign_in(on.login, "alice", until=f"{on.door.url}/x")
            assert (await on.me(browser))[0] == 200, "all is well once the clock is right"
    # Our own tokens and sessions, of a replica whose clock is ahead, at one whose clock is not.
    async with Browser() as browser:
        on.set_clock(300.0)
        on.door.sign_in()
        await browser.sign_in(on.login, "alice", until=f"{on.door.url}/x")
        assert (await on.me(browser))[0] == on.door.ask("GET", "/apps")[0] == 200
        on.set_clock(0)
        for status, problem in (await on.me(browser), on.door.ask("GET", "/apps")):
            assert (status, "look at the servers' clocks" in problem["detail"]) == (401, True), problem
        on.set_clock(280.0)
        assert (await on.me(browser))[0] == on.door.ask("GET", "/apps")[0] == 200
