"""What the client makes of answers, refusals and faults; against a real HTTP server that plays them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.scripted import (
    Script,
    Waits,
    chunks,
    client_for,
    config_for,
    hang_up,
    json,
    silence,
    status,
    text,
    until,
)
from trueup.cluster.client import KubeClient
from trueup.cluster.credentials import Credential, StaticCredentials, TokenFileCredentials
from trueup.cluster.resource import Resource
from trueup.cluster.retry import RetryPolicy
from trueup.model.apierror import ApiError, ClusterUnreachable, KindNotServed, LeaseLost
from trueup.model.errors import InvalidInput

CONFIG_MAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True)
WEB = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "shop"}, "data": {"a": "b"}}
PATH = "/api/v1/namespaces/shop/configmaps/web"
LIST = "/api/v1/namespaces/shop/configmaps"


async def test_an_object_is_read(script: Script) -> None:
    script.on(f"GET {PATH}", json(WEB))
    async with client_for(script) as client:
        assert await client.get(CONFIG_MAPS, "web", "shop") == WEB


async def test_a_missing_object_is_none(script: Script) -> None:
    script.on(f"GET {PATH}", status(404, "NotFound", details={"name": "web", "kind": "configmaps"}))
    async with client_for(script) as client:
        assert await client.get(CONFIG_MAPS, "web", "shop") is None


async def test_a_path_that_is_not_there_means_that_the_kind_is_no_longer_served(script: Script) -> None:
    async with client_for(script) as client:
        with pytest.raises(KindNotServed, match="no longer serves ConfigMap in v1"):
            await client.get(CONFIG_MAPS, "web", "shop")


async def test_a_refusal_carries_what_the_server_said(script: Script) -> None:
    cause = {"reason": "FieldValueInvalid", "message": "field is immutable", "field": "spec.selector"}
    script.on(
        f"PATCH {PATH}", status(422, "Invalid", "ConfigMap is invalid", details={"name": "web", "causes": [cause]})
    )
    async with client_for(script) as client:
        with pytest.raises(ApiError) as caught:
            await client.apply(WEB, manager="us")
    error = caught.value
    assert (error.code, error.reason, error.is_immutable) == (422, "Invalid", True)
    assert error.causes[0].field == "spec.selector"
    assert str(error).startswith("ConfigMap/shop/web: ConfigMap is invalid")


async def test_an_answer_that_is_no_json_names_what_came_and_what_to_check(script: Script) -> None:
    script.on(f"GET {PATH}", text("<html>please log in</html>"))
    async with client_for(script) as client:
        with pytest.raises(ApiError, match="please log in") as caught:
            await client.get(CONFIG_MAPS, "web", "shop")
    assert "login page" in caught.value.hint


async def test_apply_is_one_patch_with_manager_force_and_the_whole_manifest(script: Script) -> None:
    script.on(f"PATCH {PATH}", json(WEB))
    async with client_for(script) as client:
        await client.apply(WEB, manager="us", dry_run=True, field_validation="Strict")
    (asked,) = script.asked_for(f"PATCH {PATH}")
    assert asked.query == {"fieldManager": "us", "force": "true", "dryRun": "All", "fieldValidation": "Strict"}
    assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
    assert asked.json == WEB


async def test_a_namespaced_object_without_a_namespace_is_refused_before_any_request(script: Script) -> None:
    async with client_for(script) as client:
        with pytest.raises(InvalidInput, match="names no namespace"):
            await client.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, manager="us")
    assert not [asked for asked in script.asked if asked.method == "PATCH"]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%2e%2e"])
async def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a name"):
        CONFIG_MAPS.path("shop", name)


# retries


async def test_a_429_is_waited_out_as_long_as_the_server_says(script: Script) -> None:
    busy = status(429, "TooManyRequests", headers={"Retry_After": "7"})
    script.on(f"PATCH {PATH}", busy, busy, json(WEB))
    waits = Waits()
    async with client_for(script, waits) as client:
        await client.apply(WEB, manager="us")
    assert waits.seconds == [7.02, 7.04]


async def test_a_429_without_a_time_backs_off_exponentially_and_in_the_end_gives_up(script: Script) -> None:
    script.on(f"GET {PATH}", status(429, "TooManyRequests"))
    waits = Waits()
    async with client_for(script, waits) as client:
        with pytest.raises(ApiError) as caught:
            await client.get(CONFIG_MAPS, "web", "shop")
    assert caught.value.is_retryable
    assert waits.seconds == [0.2, 0.4, 0.8, 1.6, 3.2]


async def test_a_create_is_repeated_after_a_429_for_it_was_not_carried_out(script: Script) -> None:
    script.on(f"POST {LIST}", status(429, "TooManyRequests"), json(WEB, 201))
    async with client_for(script) as client:
        assert await client.create(WEB) == WEB


@pytest.mark.parametrize("fault", [status(503, "ServiceUnavailable"), status(504, "Timeout"), hang_up])
async def test_a_create_is_not_repeated_when_it_may_have_been_carried_out(script: Script, fault: Any) -> None:
    script.on(f"POST {LIST}", fault, json(WEB, 201))
    async with client_for(script) as client:
        with pytest.raises((ApiError, ClusterUnreachable)):
            await client.create(WEB)
    assert len(script.asked_for(f"POST {LIST}")) == 1


@pytest.mark.parametrize(
    "fault", [status(500, "InternalError"), status(503, "ServiceUnavailable"), status(504, "Timeout"), hang_up]
)
async def test_an_apply_is_repeated_after_any_passing_fault(script: Script, fault: Any) -> None:
    script.on(f"PATCH {PATH}", fault, fault, json(WEB))
    async with client_for(script) as client:
        assert await client.apply(WEB, manager="us") == WEB


async def test_an_internal_error_that_stays_is_given_up_sooner_than_an_overload(script: Script) -> None:
    script.on(f"PATCH {PATH}", status(500, "InternalError", "failed calling webhook"))
    async with client_for(script) as client:
        with pytest.raises(ApiError, match="failed calling webhook"):
            await client.apply(WEB, manager="us")
    assert len(script.asked_for(f"PATCH {PATH}")) == 3


async def test_what_was_never_sent_may_always_be_sent_again(script: Script, unused_tcp_port: int) -> None:
    waits = Waits()
    script.url = f"http://127.0.0.1:{unused_tcp_port}"
    async with client_for(script, waits, retry=RetryPolicy(attempts=3)) as client:
        with pytest.raises(ClusterUnreachable, match="cannot be reached") as caught:
            await client.create_event({"metadata": {"namespace": "shop"}})
    assert "check that the API server runs" in caught.value.hint
    assert len(waits.seconds) == 2


async def test_a_replace_that_names_a_version_is_not_repeated(script: Script) -> None:
    script.on(f"PUT {PATH}", status(503, "ServiceUnavailable"))
    versioned = {**WEB, "metadata": {**WEB["metadata"], "resourceVersion": "4"}}  # type: ignore[dict-item]
    async with client_for(script) as client:
        with pytest.raises(ApiError):
            await client.replace(versioned)
    assert len(script.asked_for(f"PUT {PATH}")) == 1


async def test_a_server_that_never_answers_is_left_in_time(script: Script) -> None:
    script.on("GET /slow", silence)
    async with client_for(script, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ClusterUnreachable, match="did not answer /slow in time"):
            await client.raw("GET", "/slow", seconds=0.05)


# deleting


async def test_a_delete_carries_its_preconditions(script: Script) -> None:
    script.on(f"DELETE {PATH}", json({"kind": "Status", "status": "Success"}))
    async with client_for(script) as client:
        await client.delete(CONFIG_MAPS, "web", "shop", uid="u1", resource_version="9", propagation="Foreground")
    (asked,) = script.asked_for(f"DELETE {PATH}")
    assert asked.json == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u1", "resourceVersion": "9"},
    }


async def test_deleting_what_is_gone_answers_none(script: Script) -> None:
    script.on(f"DELETE {PATH}", status(404, "NotFound", details={"name": "web"}))
    async with client_for(script) as client:
        assert await client.delete(CONFIG_MAPS, "web", "shop") is None


async def test_a_delete_is_repeated_only_when_it_names_the_very_object(script: Script) -> None:
    script.on(f"DELETE {PATH}", hang_up, json({"kind": "Status", "status": "Success"}))
    async with client_for(script) as client:
        assert await client.delete(CONFIG_MAPS, "web", "shop", uid="u1") is not None
    script.on(f"DELETE {PATH}", hang_up, json({"kind": "Status", "status": "Success"}))
    async with client_for(script) as client:
        with pytest.raises(ClusterUnreachable):
            await client.delete(CONFIG_MAPS, "web", "shop")


# the guard


class Guard:
    """Allows so many checks, then says that the Lease is lost."""

    def __init__(self, allowed: int) -> None:
        self.left = allowed

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise LeaseLost("another holds the Lease")


async def test_a_write_asks_the_guard_first_and_a_read_does_not(script: Script) -> None:
    script.on(f"PATCH {PATH}", json(WEB))
    script.on(f"GET {PATH}", json(WEB))
    async with client_for(script, guard=Guard(0)) as client:
        assert await client.get(CONFIG_MAPS, "web", "shop") == WEB
        for write in (
            client.apply(WEB, manager="us"),
            client.create(WEB),
            client.replace(WEB),
            client.merge_patch(CONFIG_MAPS, "web", "shop", {}),
            client.json_patch(CONFIG_MAPS, "web", "shop", []),
            client.delete(CONFIG_MAPS, "web", "shop"),
            client.create_event({}),
            client.raw("POST", "/x"),
            client.impersonate("jane").apply(WEB, manager="us"),
        ):
            with pytest.raises(LeaseLost):
                await write
    assert {asked.method for asked in script.asked} == {"GET"}


async def test_a_lease_that_is_lost_while_the_connection_was_being_made_stops_the_request(script: Script) -> None:
    script.on(f"PATCH {PATH}", json(WEB))
    async with client_for(script, guard=Guard(1)) as client:
        await client.discovery.catalog()
        with pytest.raises(LeaseLost):
            await client.apply(WEB, manager="us")
        # The connection that was given up does not spoil the next request.
        assert await client.guarded(None).apply(WEB, manager="us") == WEB
    assert len(script.asked_for(f"PATCH {PATH}")) == 1


async def test_a_lease_that_is_lost_while_waiting_to_try_again_stops_the_request(script: Script) -> None:
    script.on(f"PATCH {PATH}", status(503, "ServiceUnavailable"), json(WEB))
    async with client_for(script, guard=Guard(2)) as client:
        with pytest.raises(LeaseLost):
            await client.apply(WEB, manager="us")
    assert len(script.asked_for(f"PATCH {PATH}")) == 1


# identity


async def test_impersonation_sends_the_user_and_the_groups_asked_for(script: Script) -> None:
    script.on(f"GET {PATH}", json(WEB))
    async with client_for(script) as client:
        await client.impersonate("jane", ["dev", "ops"]).get(CONFIG_MAPS, "web", "shop")
        await client.impersonate("system:serviceaccount:shop:deployer").get(CONFIG_MAPS, "web", "shop")
        await client.get(CONFIG_MAPS, "web", "shop")
    jane, account, own = script.asked_for(f"GET {PATH}")
    assert (jane.headers["Impersonate-User"], jane.headers.getall("Impersonate-Group")) == ("jane", ["dev", "ops"])
    assert account.headers["Impersonate-User"] == "system:serviceaccount:shop:deployer"
    assert "Impersonate-Group" not in account.headers
    assert "Impersonate-User" not in own.headers


async def test_a_token_that_was_exchanged_is_read_again_when_the_old_one_is_refused(
    script: Script, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    script.on(f"GET {PATH}", json(WEB), status(401, "Unauthorized"), json(WEB))
    credentials = TokenFileCredentials(token, clock=lambda: 0.0)
    async with client_for(script, config=config_for(script, credentials=credentials)) as client:
        await client.get(CONFIG_MAPS, "web", "shop")
        token.write_text("new")
        await client.get(CONFIG_MAPS, "web", "shop")
    sent = [asked.headers["Authorization"] for asked in script.asked_for(f"GET {PATH}")]
    assert sent == ["Bearer old", "Bearer old", "Bearer new"]


async def test_a_refused_token_is_an_error_that_does_not_show_it(script: Script) -> None:
    script.on(f"GET {PATH}", status(401, "Unauthorized", "Unauthorized"))
    config = config_for(script, credentials=StaticCredentials(Credential("Bearer s3cret")))
    async with client_for(script, config=config) as client:
        with pytest.raises(ApiError) as caught:
            await client.get(CONFIG_MAPS, "web", "shop")
    assert "s3cret" not in str(caught.value) + repr(caught.value) + repr(config) + repr(config.credentials)
    assert "log in again" in caught.value.hint
    assert len(script.asked_for(f"GET {PATH}")) == 1


# around requests


async def test_no_more_requests_are_in_flight_than_allowed(script: Script) -> None:
    async def slowly(request: Any) -> Any:
        await asyncio.sleep(0.01)
        return await json(WEB)(request)

    script.on(f"PATCH {PATH}", slowly)
    async with client_for(script, max_in_flight=4) as client:
        await asyncio.gather(*(client.apply(WEB, manager="us") for _ in range(40)))
    assert script.most_in_flight == 4


async def test_every_attempt_is_measured(script: Script) -> None:
    script.on(f"PATCH {PATH}", status(429, "TooManyRequests"), hang_up, json(WEB))
    measured: list[tuple[str, str, int]] = []

    def on_request(verb: str, resource: str, code: int, seconds: float) -> None:
        assert seconds >= 0
        measured.append((verb, resource, code))

    async with client_for(script, on_request=on_request) as client:
        await client.apply(WEB, manager="us")
    assert measured[2:] == [("apply", "configmaps", 429), ("apply", "configmaps", 0), ("apply", "configmaps", 200)]


async def test_warnings_of_the_server_are_handed_on(script: Script) -> None:
    script.on(f"PATCH {PATH}", json(WEB, Warning='299 - "unknown field \\"spec.x\\""'))
    heard: list[str] = []
    async with client_for(script, on_warning=heard.append) as client:
        await client.apply(WEB, manager="us")
    assert heard == ['unknown field "spec.x"']


async def test_a_redirect_is_not_followed_with_our_credentials(script: Script) -> None:
    script.on(f"GET {PATH}", json({}, 302, Location="http://elsewhere.invalid/"))
    async with client_for(script) as client:
        with pytest.raises(ApiError, match="302"):
            await client.get(CONFIG_MAPS, "web", "shop")


async def test_a_client_that_is_not_open_says_so(script: Script) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await client_for(script).get(CONFIG_MAPS, "web", "shop")


# lists


def page(names: list[str], token: str = "", version: str = "10") -> dict[str, Any]:
    items = [{"metadata": {"name": name, "namespace": "shop"}} for name in names]
    return {"kind": "ConfigMapList", "metadata": {"resourceVersion": version, "continue": token}, "items": items}


async def test_a_list_is_read_page_by_page_and_its_items_know_their_kind(script: Script) -> None:
    script.on(f"GET {LIST}", json(page(["a", "b"], "next")), json(page(["c"])))
    async with client_for(script) as client:
        found = await client.list_all(CONFIG_MAPS, "shop", limit=2, label_selector="app=web,tier!=db")
    assert [(item["apiVersion"], item["kind"], item["metadata"]["name"]) for item in found] == [
        ("v1", "ConfigMap", name) for name in "abc"
    ]
    first, second = script.asked_for(f"GET {LIST}")
    assert first.query == {"limit": "2", "labelSelector": "app=web,tier!=db"}
    assert second.query["continue"] == "next"


async def test_a_list_whose_token_expired_is_begun_again(script: Script) -> None:
    expired = status(410, "Expired")
    script.on(f"GET {LIST}", json(page(["a", "b"], "next")), expired, json(page(["b", "c"])))
    async with client_for(script) as client:
        found = await client.list_all(CONFIG_MAPS, "shop")
    assert [item["metadata"]["name"] for item in found] == ["b", "c"]


async def test_an_empty_list_may_have_no_items_at_all(script: Script) -> None:
    script.on(f"GET {LIST}", json({"kind": "List", "metadata": {"resourceVersion": "3"}, "items": None}))
    async with client_for(script) as client:
        assert await client.list_all(CONFIG_MAPS, "shop") == []


# watches


def line(type_: str, name: str, version: str) -> bytes:
    metadata = f'{{"name":"{name}","namespace":"shop","resourceVersion":"{version}"}}'
    return f'{{"type":"{type_}","object":{{"kind":"ConfigMap","apiVersion":"v1","metadata":{metadata}}}}}\n'.encode()


async def watched(client: KubeClient, into: list[tuple[str, str]], **options: Any) -> None:
    async for event in client.watch(CONFIG_MAPS, "shop", resource_version="5", **options):
        into.append((event.type, event.object["metadata"]["resourceVersion"]))


async def test_events_come_as_they_are_whatever_the_chunks(script: Script) -> None:
    whole = line("ADDED", "a", "6") + line("MODIFIED", "a", "7") + b"\n" + line("BOOKMARK", "", "9")
    parts = [whole[index : index + 37] for index in range(0, len(whole), 37)]
    script.on(f"GET {LIST}", chunks(*parts))
    seen: list[tuple[str, str]] = []
    async with client_for(script) as client:
        await watched(client, seen)
    assert seen == [("ADDED", "6"), ("MODIFIED", "7"), ("BOOKMARK", "9")]
    (asked,) = script.asked_for(f"GET {LIST}")
    assert asked.query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "300",
    }


async def test_a_watch_cut_in_the_middle_of_a_line_gives_the_whole_events_and_then_the_fault(script: Script) -> None:
    script.on(f"GET {LIST}", chunks(line("ADDED", "a", "6") + line("ADDED", "b", "7")[:40], cut=True))
    seen: list[tuple[str, str]] = []
    async with client_for(script) as client:
        with pytest.raises(ClusterUnreachable):
            await watched(client, seen)
    assert seen == [("ADDED", "6")]


async def test_a_watch_that_ends_properly_in_the_middle_of_a_line_drops_that_line(script: Script) -> None:
    script.on(f"GET {LIST}", chunks(line("ADDED", "a", "6") + line("ADDED", "b", "7")[:40]))
    seen: list[tuple[str, str]] = []
    async with client_for(script) as client:
        await watched(client, seen)
    assert seen == [("ADDED", "6")]


async def test_an_error_event_is_the_refusal_that_it_holds(script: Script) -> None:
    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
    script.on(f"GET {LIST}", chunks(line("ADDED", "a", "6"), gone))
    seen: list[tuple[str, str]] = []
    async with client_for(script) as client:
        with pytest.raises(ApiError) as caught:
            await watched(client, seen)
    assert caught.value.is_gone
    assert seen == [("ADDED", "6")]


async def test_a_watch_without_a_byte_is_taken_for_dead(script: Script) -> None:
    script.on(f"GET {LIST}", chunks(line("ADDED", "a", "6"), asyncio.Event().wait))  # type: ignore[arg-type]
    seen: list[tuple[str, str]] = []
    async with client_for(script) as client:
        with pytest.raises(ClusterUnreachable, match="in time"):
            await watched(client, seen, idle_seconds=0.1)
    assert seen == [("ADDED", "6")]


async def test_watches_do_not_use_up_the_requests_in_flight(script: Script) -> None:
    script.on(f"GET {LIST}", chunks(asyncio.Event().wait))  # type: ignore[arg-type]
    script.on(f"PATCH {PATH}", json(WEB))
    async with client_for(script, max_in_flight=1) as client:
        watches = [asyncio.create_task(watched(client, [])) for _ in range(3)]
        await until(lambda: len(script.asked_for(f"GET {LIST}")) == 3)
        await client.apply(WEB, manager="us")
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
