"""What Helm's library says of releases: values in Flux's order, records that its own storage reads, lookups, post-rendering."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import Any

import msgspec
import pytest
import yaml

from tests.render.conftest import Files
from tests.support.snapshots import MemorySnapshot
from trueup.model.errors import BuildFailed
from trueup.model.release import PostRenderer, PostRenderStrategy
from trueup.model.releaserecord import HookRun, Release, ReleaseInfo, ReleaseStatus
from trueup.model.rendering import CommonMetadata, ImageOverride, Patch, PatchTarget
from trueup.render.engine.pool import EnginePool
from trueup.render.releases import Preparation, Prepared, Question, ReleaseEngine, Values, ValuesLayer

CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: '4.5'\n"
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  revision: {{ .Release.Revision | quote }}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-upgrade,pre-install
    helm.sh/hook-weight: "5"
    helm.sh/hook-delete-policy: hook-succeeded
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: run, image: "migrate:1"}]
"""
SIMPLE: Files = {
    "web/Chart.yaml": CHART,
    "web/values.yaml": "text: default\n",
    "web/templates/config.yaml": CONFIG,
    "web/templates/hook.yaml": HOOK,
    "web/templates/NOTES.txt": "Hello {{ .Release.Name }}",
    "web/crds/things.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things.example.com\n",
}
EMPTY_DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def wanted(**fields: Any) -> Preparation:
    return Preparation(
        **{
            "chart": "web",
            "name": "shop",
            "namespace": "prod",
            "revision": 1,
            "upgrade": False,
            "values": Values(),
            **fields,
        }
    )


async def nothing(_: Question) -> None:
    return None


async def prepared(engines: EnginePool, files: Files = SIMPLE, **fields: Any) -> Prepared:
    return await ReleaseEngine(engines).prepare(MemorySnapshot(files), wanted(**fields), nothing)


def parsed(made: Prepared) -> list[dict[str, Any]]:
    return [yaml.safe_load(document.text) for document in made.objects]


async def test_a_release_holds_what_an_install_would_record(engines: EnginePool) -> None:
    made = await prepared(engines, values=Values(inline={"text": "inline"}))
    release = made.release
    assert (release.name, release.namespace, release.version, release.apply_method) == ("shop", "prod", 1, "ssa")
    assert str(release.metadata) == "web@1.2.3"
    assert release.info.notes == "Hello shop"
    assert json.loads(bytes(release.config)) == {"text": "inline"}
    (hook,) = release.hooks or ()
    assert (hook.kind, hook.weight, hook.events, hook.delete_policies) == (
        "Job",
        5,
        ("pre-upgrade", "pre-install"),
        ("hook-succeeded",),
    )
    assert release.manifest.startswith("---\n# Source: web/templates/config.yaml\n")
    assert parsed(made)[0]["data"] == {"text": "inline", "upgrade": "false", "revision": "1"}
    crds = await ReleaseEngine(engines).definitions(MemorySnapshot(SIMPLE), "web")
    assert [document.path for document in crds] == ["web/crds/things.yaml"]


async def test_an_upgrade_knows_that_it_is_one(engines: EnginePool) -> None:
    made = await prepared(engines, upgrade=True, revision=7)
    assert parsed(made)[0]["data"] == {"text": "default", "upgrade": "true", "revision": "7"}


async def test_values_are_merged_in_the_order_of_flux(engines: EnginePool) -> None:
    async def config(*layers: ValuesLayer, inline: dict[str, Any] | None = None) -> Any:
        made = await prepared(engines, values=Values(layers=layers, inline=inline or {}))
        return json.loads(bytes(made.release.config))

    first = ValuesLayer(name="a", text="text: first\nother: {kept: 1, won: 1}\n")
    second = ValuesLayer(name="b", text="other: {won: 2}\n")
    assert await config(first, second) == {"text": "first", "other": {"kept": 1, "won": 2}}
    assert (await config(first, second, inline={"text": "inline"}))["text"] == "inline"
    at = ValuesLayer(name="c", text="{x,y}", target_path="other.list")
    assert (await config(first, at))["other"] == {"kept": 1, "won": 1, "list": ["x", "y"]}
    quoted = ValuesLayer(name="d", text="'007'", target_path="text")
    assert await config(quoted) == {"text": "007"}
    twice = ValuesLayer(name="d", text="\"'007'\"", target_path="text")
    assert await config(twice) == {"text": "007"}
    literal = ValuesLayer(name="e", text="{a},b=[c]", target_path="text", literal=True)
    assert await config(literal) == {"text": "{a},b=[c]"}
    file = 'a = [1, 2]\\n\n{b: "c", d: e.f}\n'
    escaped = ValuesLayer(name="f", text=file, target_path=r"files.app\.conf.content", literal=True)
    assert await config(escaped) == {"files": {"app.conf": {"content": file}}}


async def test_a_value_at_a_path_wins_over_what_the_release_says_itself(engines: EnginePool) -> None:
    """What the documentation of Flux's `targetPath` says, and its tests; where a name stands at the top its code does otherwise."""

    async def config(*layers: ValuesLayer, inline: dict[str, Any]) -> Any:
        made = await prepared(engines, values=Values(layers=layers, inline=inline))
        return json.loads(bytes(made.release.config))

    root = ValuesLayer(name="a", text="flat: value\nnested: {list: [one, two, three]}\n")
    password = ValuesLayer(name="b", text="hunter2", target_path="db.password", secret=True)
    item = ValuesLayer(name="c", text="value", target_path="nested.list[0]")
    top = ValuesLayer(name="d", text="set", target_path="text")
    inline = {"db": {"user": "me", "password": "placeholder"}}
    assert await config(password, inline=inline) == {"db": {"user": "me", "password": "hunter2"}}
    listed = {"nested": {"list": ["list", "item", "option"]}}
    assert await config(item, root, inline=listed) == {"flat": "value", "nested": {"list": ["value", "item", "option"]}}
    assert await config(root, item, inline={"other": 1}) == {
        "flat": "value",
        "nested": {"list": ["value", "two", "three"]},
        "other": 1,
    }
    assert await config(top, inline={"text": "inline"}) == {"text": "inline"}


async def test_the_digest_of_values_is_that_of_flux(engines: EnginePool) -> None:
    engine = ReleaseEngine(engines)
    assert await engine.values_digest(Values()) == EMPTY_DIGEST
    # Of the example in Flux's documentation of HelmReleases.
    documented = "sha256:e15c415d62760896bd8bec192a44c5716dc224db9e0fc609b9ac14718f8f9e56"
    assert await engine.values_digest(Values(inline={"replicaCount": 2})) == documented
    one = await engine.values_digest(Values(inline={"b": 1, "a": {"d": [1, {"z": 1, "k": "2"}], "c": True}}))
    other = await engine.values_digest(
        Values(layers=(ValuesLayer(name="v", text="a: {c: true, d: [1, {k: '2', z: 1}]}\nb: 1\n"),))
    )
    assert one == other != EMPTY_DIGEST
    assert (await prepared(engines, values=Values(inline={"text": "x"}))).config_digest == await engine.values_digest(
        Values(inline={"text": "x"})
    )


async def test_a_bad_value_is_told_by_its_reference_and_never_by_its_text_when_it_is_secret(
    engines: EnginePool,
) -> None:
    engine = ReleaseEngine(engines)
    bad = ValuesLayer(name="Secret prod/token (values.yaml)", text="hunter2hunter2: [", secret=True)
    with pytest.raises(BuildFailed, match="Secret prod/token") as caught:
        await engine.values_digest(Values(layers=(bad,)))
    assert "hunter2" not in str(caught.value)
    files = SIMPLE | {"web/templates/config.yaml": '{{ fail (printf "no: %s" .Values.token) }}'}
    layer = ValuesLayer(name="Secret", text="token: hunter2hunter2\n", secret=True)
    with pytest.raises(BuildFailed, match=r"no: \*\*\*") as caught:
        await prepared(engines, files, values=Values(layers=(layer,)))
    assert "hunter2" not in repr(caught.value)
    assert (await prepared(engines, values=Values(layers=(layer,)))).tainted


async def test_the_record_is_read_back_and_is_in_helms_own_form(engines: EnginePool) -> None:
    engine = ReleaseEngine(engines)
    made = await prepared(engines, values=Values(inline={"text": "x"}))
    info = ReleaseInfo(
        first_deployed="2026-01-01T00:00:00Z",
        last_deployed="2026-01-02T00:00:00Z",
        description="Install complete",
        status=ReleaseStatus.DEPLOYED,
    )
    hooks = tuple(
        msgspec.structs.replace(hook, last_run=HookRun(started_at="2026-01-01T00:00:00Z", phase="Succeeded"))
        for hook in made.release.hooks or ()
    )
    release = msgspec.structs.replace(made.release, info=info, hooks=hooks)
    secret, told = await engine.encode(release, {"team": "shop"}, update=False)
    assert secret["metadata"]["name"] == "sh.helm.release.v1.shop.v1"
    labels = secret["metadata"]["labels"]
    assert {key: labels[key] for key in ("name", "owner", "status", "version", "team")} == {
        "name": "shop",
        "owner": "helm",
        "status": "deployed",
        "version": "1",
        "team": "shop",
    }
    assert labels["createdAt"].isdigit()
    assert secret["type"] == "helm.sh/release.v1"
    inner = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    assert inner["info"]["status"] == "deployed"
    assert inner["chart"]["metadata"]["name"] == "web"
    back = await engine.decode(secret)
    assert back.release == release
    assert (back.digest, back.config_digest) == (told.digest, made.config_digest)
    assert [document.text.strip() for document in back.objects] == [
        document.text.strip() for document in made.objects
    ] or len(back.objects) == 1


async def test_the_digest_tells_a_changed_record_and_leaves_tests_out(engines: EnginePool) -> None:
    engine = ReleaseEngine(engines)
    release = (await prepared(engines)).release
    _, told = await engine.encode(release, {}, update=True)
    other = msgspec.structs.replace(release, manifest=release.manifest + "# touched\n")
    assert (await engine.encode(other, {}, update=True))[1].digest != told.digest
    (hook,) = release.hooks or ()
    test = msgspec.structs.replace(hook, events=("test",))
    tested = msgspec.structs.replace(release, hooks=(hook, test))
    assert (await engine.encode(tested, {}, update=True))[1].digest == told.digest


@pytest.mark.parametrize("artifact", ["", "sha256:" + "a" * 64])
async def test_the_digest_is_over_what_flux_hashes_in_its_order(engines: EnginePool, artifact: str) -> None:
    """Made again from the record alone: Go's JSON of these fields, with a line end; no artifact, no such field."""
    engine = ReleaseEngine(engines)
    release = (
        await prepared(engines, values=Values(inline={"text": "<b> & 'x'", "a": {"z": 1, "b": [1.5, True]}}))
    ).release
    info = ReleaseInfo(first_deployed="2026-01-01T00:00:00Z", last_deployed="2026-01-02T00:00:00.5Z", notes="é")
    secret, told = await engine.encode(
        msgspec.structs.replace(release, info=info), {}, update=True, oci_digest=artifact
    )
    record = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    seen = {
        "name": record["name"],
        "version": record["version"],
        "info": record["info"],
        "chartMetadata": record["chart"]["metadata"],
        "config": record["config"],
        "manifest": record["manifest"],
        "hooks": record["hooks"],
        "namespace": record["namespace"],
    }
    text = json.dumps(seen | ({"ociDigest": artifact} if artifact else {}), separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    assert told.digest == "sha256:" + hashlib.sha256(f"{text}\n".encode()).hexdigest()


async def test_a_secret_that_records_nothing_is_told_by_name(engines: EnginePool) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sh.helm.release.v1.shop.v1"},
        "data": {"release": "bm9uc2Vuc2U="},
    }
    with pytest.raises(BuildFailed, match=r"sh\.helm\.release\.v1\.shop\.v1"):
        await ReleaseEngine(engines).decode(secret)


async def test_a_lookup_is_asked_of_the_caller(engines: EnginePool) -> None:
    asked: list[Question] = []

    async def answer(question: Question) -> dict[str, Any] | None:
        asked.append(question)
        if question.name == "there":
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "there"}, "data": {"k": "dg=="}}
        if not question.name:
            return {
                "apiVersion": "v1",
                "kind": "ConfigMapList",
                "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}],
            }
        return None

    template = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: looked}
data:
  found: {{ (lookup "v1" "Secret" "prod" "there").data.k | quote }}
  missing: {{ lookup "v1" "Secret" "prod" "not-there" | empty | quote }}
  count: {{ (lookup "v1" "ConfigMap" "prod" "").items | len | quote }}
"""
    made = await ReleaseEngine(engines).prepare(
        MemorySnapshot(SIMPLE | {"web/templates/config.yaml": template}), wanted(), answer
    )
    assert parsed(made)[0]["data"] == {"found": "dg==", "missing": "true", "count": "1"}
    assert Question("v1", "Secret", "prod", "there") in asked
    assert made.tainted


async def test_post_renderers_patch_what_the_chart_gives_and_marks_come_last(engines: EnginePool) -> None:
    patch = Patch(
        patch="- op: add\n  path: /metadata/labels\n  value: {patched: 'yes'}\n", target=PatchTarget(kind="ConfigMap")
    )
    renderers = (PostRenderer(patches=(patch,)), PostRenderer(images=(ImageOverride(name="migrate", new_tag="2"),)))
    fields: dict[str, Any] = {
        "post_renderers": renderers,
        "labels": {"owner": "me"},
        # Whose an object is, common metadata cannot say otherwise.
        "common_metadata": CommonMetadata({"team": "a", "owner": "you"}, {"note": "b"}),
    }
    made = await prepared(engines, **fields)
    metadata = parsed(made)[0]["metadata"]
    assert metadata["labels"] == {"patched": "yes", "owner": "me", "team": "a"}
    assert metadata["annotations"] == {"note": "b"}
    assert made.release.manifest.startswith("---\n# Source: web/templates/config.yaml\napiVersion: v1\n")
    hook = yaml.safe_load((made.release.hooks or ())[0].manifest)
    assert hook["spec"]["template"]["spec"]["containers"][0]["image"] == "migrate:2"
    untouched = await prepared(engines, **fields, strategy=PostRenderStrategy.NO_HOOKS)
    hook = yaml.safe_load((untouched.release.hooks or ())[0].manifest)
    assert hook["spec"]["template"]["spec"]["containers"][0]["image"] == "migrate:1"
    apart = await prepared(engines, **fields, strategy=PostRenderStrategy.SEPARATE)
    assert parsed(apart)[0]["metadata"] == metadata


async def test_a_bad_patch_is_told(engines: EnginePool) -> None:
    patch = Patch(patch="- op: remove\n  path: /not/there\n", target=PatchTarget(kind="ConfigMap"))
    with pytest.raises(BuildFailed, match="post-rendering"):
        await prepared(engines, post_renderers=(PostRenderer(patches=(patch,)),))


async def test_the_metadata_of_a_chart_depends_on_its_chart_yaml_alone(engines: EnginePool) -> None:
    metadata, inputs = await ReleaseEngine(engines).metadata(MemorySnapshot(SIMPLE), "web")
    assert (metadata.name, metadata.version, metadata.app_version) == ("web", "1.2.3", "4.5")
    assert [item.path for item in inputs.items] == ["web/Chart.yaml"]
    with pytest.raises(BuildFailed, match=r"Chart\.yaml"):
        await ReleaseEngine(engines).metadata(MemorySnapshot(SIMPLE), "elsewhere")


async def test_a_release_shows_no_values_in_logs(engines: EnginePool) -> None:
    made = await prepared(engines, values=Values(inline={"text": "hunter2hunter2"}))
    assert "hunter2" not in repr(made.release)
    assert "hunter2" not in repr(Values(inline={"a": "hunter2"})) + repr(ValuesLayer(name="a", text="hunter2"))
    assert isinstance(made.release, Release)
