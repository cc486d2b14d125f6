"""Webhooks of every provider: recognised, proved, read, and refused when anything is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.api.support import serving as api_of
from tests.server.test_http import serve
from tests.server.webhooks.kit import IDS, PAYLOADS, SAMPLES, SECRETS, Sample
from trueup.model.news import News, NewsKind
from trueup.server.api.proxies import behind
from trueup.server.argo import webhook
from trueup.server.argo.webhook import Forwarding
from trueup.server.http import Probes, make_app
from trueup.server.webhooks import intake
from trueup.server.webhooks.delivery import Delivery, Refused
from trueup.server.webhooks.handling import FORWARDED, TOKEN, webhook_handler
from trueup.server.webhooks.providers import PROVIDERS, provider_of
from trueup.server.webhooks.receiver import Answer, Receiver

GITHUB = SAMPLES[0]


class Listener:
    def __init__(self, secrets: dict[str, str] = SECRETS) -> None:
        self.heard: list[News] = []
        self.secrets = secrets
        self.receiver = Receiver(self._read, self._tell)

    async def _read(self) -> dict[str, str]:
        return self.secrets

    async def _tell(self, news: News) -> int:
        self.heard.append(news)
        return 1

    async def take(self, delivery: Delivery) -> Answer:
        return await self.receiver.receive(delivery)


@pytest.mark.parametrize(
    ("payload", "news"),
    [
        ("github-push", ["https://github.com/example/shop.git refs/heads/main"]),
        ("github-package", ["oci://ghcr.io/example/shop 1.2.3"]),
        ("gitlab-push", ["https://gitlab.example.com/team/shop.git refs/heads/main"]),
        ("gitlab-tag", ["https://gitlab.example.com/team/shop.git refs/tags/v1.0.0"]),
        ("gitea-push", ["https://gitea.example.com/team/shop.git refs/heads/develop"]),
        ("gogs-push", ["https://gogs.example.com/team/shop.git refs/heads/develop"]),
        (
            "bitbucket-push",
            [
                "https://bitbucket.org/team/shop.git refs/heads/main",
                "https://bitbucket.org/team/shop.git refs/tags/v2",
                "https://bitbucket.org/team/shop.git refs/heads/gone",
            ],
        ),
        ("bitbucketserver-push", ["https://bitbucket.example.com/scm/team/shop.git refs/heads/main"]),
        ("azuredevops-push", ["https://org@dev.azure.com/org/Team/_git/shop refs/heads/main"]),
        ("dockerhub-push", ["oci://docker.io/example/shop 1.2.3"]),
        ("harbor-push", ["oci://harbor.example.com:8443/team/shop 1.2.3"]),
        ("quay-push", ["oci://quay.io/team/shop latest", "oci://quay.io/team/shop 1.2.3"]),
        ("acr-push", ["oci://example.azurecr.io/team/shop 1.2.3"]),
        ("ecr-push", ["oci://123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/team/shop 1.2.3"]),
        ("generic-push", ["https://git.example.com/team/shop.git refs/heads/main"]),
    ],
)
async def test_what_a_provider_tells_is_read(payload: str, news: list[str]) -> None:
    listener = Listener()
    sample = next(sample for sample in SAMPLES if sample.payload == payload)
    answer = await listener.take(sample.delivery())
    assert (answer.provider, list(answer.news)) == (sample.provider, news)
    assert [str(one) for one in listener.heard] == news


def test_every_provider_and_every_payload_has_a_sample() -> None:
    assert {sample.provider for sample in SAMPLES} == {provider.name for provider in PROVIDERS}
    assert {sample.payload for sample in SAMPLES} == {path.stem for path in PAYLOADS.glob("*.json")}


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
async def test_a_wrong_secret_is_refused_and_nobody_is_told(sample: Sample) -> None:
    listener = Listener()
    with pytest.raises(Refused) as refused:
        await listener.take(sample.delivery(secret="open"))
    assert refused.value.status == 401
    assert "sesame" not in refused.value.message
    assert listener.heard == []


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
async def test_no_proof_at_all_is_refused(sample: Sample) -> None:
    bare = msgspec.structs.replace(sample, signed="", carried="", query={"type": sample.query.get("type", "")})
    delivery = bare.delivery()
    if sample.provider == "bitbucket":
        delivery = Delivery(headers={**delivery.headers, "x-hook-uuid": "?"}, query={}, body=delivery.body)
    if sample.provider == "generic":
        delivery = Delivery(headers={"x-signature": ""}, query={}, body=delivery.body)
    with pytest.raises(Refused):
        await Listener().take(delivery)


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
async def test_a_provider_without_a_secret_is_off(sample: Sample) -> None:
    with pytest.raises(Refused) as refused:
        await Listener({}).take(sample.delivery(secret=""))
    assert refused.value.status == 401
    assert "set webhook." in refused.value.message


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.signed], ids=[i for s, i in zip(SAMPLES, IDS, strict=True) if s.signed]
)
async def test_a_body_that_was_changed_on_the_way_is_refused(sample: Sample) -> None:
    true = sample.delivery()
    with pytest.raises(Refused):
        await Listener().take(Delivery(headers=true.headers, query=true.query, body=true.body + b" "))


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
async def test_a_delivery_is_taken_once(sample: Sample) -> None:
    listener = Listener()
    await listener.take(sample.delivery(identity="a"))
    if not provider_of(sample.delivery()).identify(sample.delivery()):
        return
    with pytest.raises(Refused) as refused:
        await listener.take(sample.delivery(identity="a"))
    assert refused.value.status == 409


@pytest.mark.parametrize(
    "sample", [one for one in SAMPLES if provider_of(one.delivery()).timed], ids=lambda one: one.payload
)
async def test_another_id_makes_no_new_delivery_of_one_whose_signature_does_not_cover_it(sample: Sample) -> None:
    listener = Listener()
    await listener.take(sample.delivery(identity="a"))
    with pytest.raises(Refused) as refused:
        await listener.take(sample.delivery(identity="b"))
    assert (refused.value.status, len(listener.heard)) == (409, 1)


def test_who_signs_bodies_that_tell_their_time_is_known() -> None:
    assert {one.name for one in PROVIDERS if one.timed} == {"github", "gitea", "gogs", "bitbucketserver"}


async def test_a_delivery_that_comes_twice_at_the_same_moment_is_taken_once() -> None:
    go_on = asyncio.Event()

    async def secrets() -> dict[str, str]:
        return SECRETS

    async def tell(_: News) -> int:
        await go_on.wait()
        return 1

    receiver = Receiver(secrets, tell)
    first = asyncio.create_task(receiver.receive(GITHUB.delivery(identity="a")))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await receiver.receive(GITHUB.delivery(identity="a"))
    go_on.set()
    assert (refused.value.status, (await first).sources) == (409, 1)


async def test_a_script_names_its_deliveries_by_an_id_that_is_signed() -> None:
    (sample,) = (one for one in SAMPLES if one.provider == "generic")
    listener = Listener()
    body = b'{"url": "https://git.example.com/team/shop.git", "id": "run 7"}'
    await listener.take(sample.delivery(body=body))
    with pytest.raises(Refused) as refused:
        await listener.take(sample.delivery(body=body))
    assert refused.value.status == 409
    for _ in range(2):  # without an id each is one more look
        assert (await listener.take(sample.delivery())).sources == 1


async def test_an_id_of_a_delivery_that_was_refused_is_not_taken_up() -> None:
    listener = Listener()
    with pytest.raises(Refused):
        await listener.take(GITHUB.delivery(secret="open", identity="a"))
    assert (await listener.take(GITHUB.delivery(identity="a"))).sources == 1


async def test_a_delivery_that_failed_on_the_way_may_be_sent_again() -> None:
    told: list[News] = []

    async def secrets() -> dict[str, str]:
        return SECRETS

    async def tell(news: News) -> int:
        told.append(news)
        if len(told) == 1:
            raise RuntimeError("the controller is going")
        return 1

    receiver = Receiver(secrets, tell)
    with pytest.raises(RuntimeError):
        await receiver.receive(GITHUB.delivery(identity="a"))
    assert (await receiver.receive(GITHUB.delivery(identity="a"))).sources == 1


async def test_a_form_is_read_like_json_and_signed_as_it_came() -> None:
    body = urlencode({"payload": (PAYLOADS / "github-push.json").read_text()}).encode()
    delivery = GITHUB.delivery(body=body)
    form = Delivery(
        headers={**delivery.headers, "content-type": "application/x-www-form-urlencoded"}, query={}, body=body
    )
    assert (await Listener().take(form)).news == ("https://github.com/example/shop.git refs/heads/main",)


async def test_json_is_read_whatever_its_header_says() -> None:
    generic = next(sample for sample in SAMPLES if sample.provider == "generic").delivery()
    headers = {**generic.headers, "content-type": "application/x-www-form-urlencoded"}
    answer = await Listener().take(Delivery(headers=headers, query={}, body=generic.body))
    assert answer.news == ("https://git.example.com/team/shop.git refs/heads/main",)


async def test_an_event_that_moves_nothing_is_taken_and_wakes_nobody() -> None:
    ping = msgspec.structs.replace(GITHUB, headers={"X-GitHub-Event": "ping"})
    assert (await Listener().take(ping.delivery(body=b'{"zen":"Keep it logically awesome."}'))).sources == 0


async def test_a_failed_push_to_a_registry_is_no_news() -> None:
    ecr = next(sample for sample in SAMPLES if sample.provider == "ecr")
    body = (PAYLOADS / "ecr-push.json").read_bytes().replace(b"SUCCESS", b"FAILURE")
    assert (await Listener().take(ecr.delivery(body=body))).news == ()


async def test_a_cloud_event_is_read_in_both_modes() -> None:
    ecr = next(sample for sample in SAMPLES if sample.provider == "ecr")
    inside = json.loads((PAYLOADS / "ecr-push.json").read_text())
    event = {"specversion": "1.0", "id": "1", "source": "aws.ecr", "type": "ECR Image Action", "data": inside}
    delivery = ecr.delivery(body=json.dumps(event).encode())
    headers = {**delivery.headers, "content-type": "application/cloudevents+json; charset=utf-8"}
    answer = await Listener().take(Delivery(headers=headers, query=delivery.query, body=delivery.body))
    assert answer.news == ("oci://123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/team/shop 1.2.3",)


async def test_azure_is_known_by_each_of_its_addresses() -> None:
    listener = Listener()
    await listener.take(next(sample for sample in SAMPLES if sample.provider == "azuredevops").delivery())
    assert "git@ssh.dev.azure.com:v3/org/Team/shop" in listener.heard[0].urls
    assert "https://org.visualstudio.com/Team/_git/shop" in listener.heard[0].urls


async def answered(delivery: Delivery) -> int:
    try:
        await Listener().take(delivery)
    except Refused as refused:
        return refused.status
    return 202


@settings(deadline=None)
@given(body=st.binary(max_size=200), sample=st.sampled_from(SAMPLES))
async def test_any_body_is_read_or_refused(body: bytes, sample: Sample) -> None:
    assert await answered(sample.delivery(body=body)) in (202, 400, 401)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ref", "repository", "push", "changes", "project", "new", "detail"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(value=JSON, sample=st.sampled_from(SAMPLES))
async def test_any_json_is_read_or_refused(value: object, sample: Sample) -> None:
    assert await answered(sample.delivery(body=json.dumps(value).encode())) in (202, 400)


def test_who_is_not_known_is_told_who_is() -> None:
    with pytest.raises(Refused, match="github, gitlab"):
        provider_of(Delivery(headers={}, query={}, body=b""))


# over HTTP


@pytest.fixture
async def listening() -> AsyncIterator[tuple[str, Listener]]:
    listener = Listener()
    probes = Probes(list, list, lambda: b"")
    async for base in serve(make_app(probes, receiver=listener.receiver)):
        yield base, listener


async def test_a_delivery_over_http_is_answered_with_what_it_woke(listening: tuple[str, Listener]) -> None:
    base, _ = listening
    delivery = GITHUB.delivery()
    async with aiohttp.ClientSession() as session:
        sent = session.post(f"{base}/api/webhook", data=delivery.body, headers=dict(delivery.headers))
        async with sent as response:
            assert response.status == 202
            assert await response.json() == {
                "provider": "github",
                "sources": 1,
                "news": ["https://github.com/example/shop.git refs/heads/main"],
            }


async def test_only_our_own_server_is_believed_from_where_a_delivery_came() -> None:
    noted: list[Answer] = []

    async def secrets() -> dict[str, str]:
        return SECRETS

    async def tell(_: News) -> int:
        return 1

    async def token() -> str:
        return "ours"

    app = web.Application()
    app.router.add_post("/api/webhook", webhook_handler(Receiver(secrets, tell, noted.append), token))
    forged = {FORWARDED: "203.0.113.1", TOKEN: "not ours"}
    async for controller in serve(app):
        forwarding = Forwarding((controller,), token)
        async with aiohttp.ClientSession() as session, api_of(webhook.operations(forwarding)) as server:
            for number, url in enumerate((controller, server.url)):
                delivery = GITHUB.delivery(identity=str(number), body=b'{"ref": "refs/heads/%d"}' % number)
                headers = {**delivery.headers, **forged}
                async with session.post(f"{url}/api/webhook", data=delivery.body, headers=headers) as response:
                    assert response.status == 202
        await forwarding.close()
    assert [one.address for one in noted] == ["127.0.0.1", "127.0.0.1"]
    trusted = behind(["127.0.0.1"])
    async for controller in serve(app):
        forwarding = Forwarding((controller,), token, trusted)
        delivery = GITHUB.delivery(identity="3", body=b'{"ref": "refs/heads/3"}')
        headers = {**delivery.headers, "X-Forwarded-For": "198.51.100.7"}
        async with (
            api_of(webhook.operations(forwarding)) as server,
            server.client.post("/api/webhook", data=delivery.body, headers=headers) as response,
        ):
            assert response.status == 202
        await forwarding.close()
    assert noted[-1].address == "198.51.100.7"


async def test_credentials_in_an_address_that_somebody_tells_are_shown_to_nobody() -> None:
    (sample,) = (one for one in SAMPLES if one.provider == "generic")
    listener = Listener()
    body = b'{"url": "https://ci:glpat-0123456789abcdefghij@git.example.com/team/shop.git"}'
    answer = await listener.take(sample.delivery(body=body))
    assert answer.news == ("https://***@git.example.com/team/shop.git",)
    assert listener.heard[0].urls[0].startswith("https://ci:"), "what is looked for is what was told"


async def test_a_forged_one_is_refused_with_what_to_do(listening: tuple[str, Listener]) -> None:
    base, listener = listening
    delivery = GITHUB.delivery(secret="open")
    async with aiohttp.ClientSession() as session:
        sent = session.post(f"{base}/api/webhook", data=delivery.body, headers=dict(delivery.headers))
        async with sent as response:
            assert response.status == 401
            assert "different secrets" in (await response.json())["error"]
    assert listener.heard == []


async def test_a_body_that_is_too_large_is_refused_unread(
    listening: tuple[str, Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _ = listening
    monkeypatch.setattr(intake, "LARGEST", 1000)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    async with aiohttp.ClientSession() as session:
        async with session.post(f"{base}/api/webhook", data=b"x" * 2000) as response:
            assert response.status == 413
        try:
            async with session.post(f"{base}/api/webhook", data=endless()) as response:
                assert response.status == 413
        except aiohttp.ClientError:
            pass  # the connection was closed while we were still sending, which is just as well


async def test_a_body_that_does_not_come_is_given_up(
    listening: tuple[str, Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, _ = listening
    monkeypatch.setattr(intake, "SECONDS", 0.05)

    async def silent() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    import asyncio

    never = asyncio.Event()
    async with aiohttp.ClientSession() as session, session.post(f"{base}/api/webhook", data=silent()) as response:
        assert response.status == 408
        never.set()


def test_github_news_carry_the_default_branch() -> None:
    provider = provider_of(GITHUB.delivery())
    (news,) = provider.news(GITHUB.delivery(), SECRETS)
    assert (news.kind, news.default_branch) == (NewsKind.GIT, "main")
