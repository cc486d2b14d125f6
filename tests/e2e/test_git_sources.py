"""Git sources end to end: signatures, content of other repositories, and remote bases."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.manifests import config
from tests.e2e.stack import Repository, Stack, git_repository, kustomization, until
from tests.sources.signatures.signkit import SshKey


def secret(namespace: str, name: str, **data: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def value_of(stack: Stack, namespace: str, name: str = "settings") -> str:
    found = stack.get("configmap", name, namespace) or {}
    return str(found.get("data", {}).get("value", ""))


def until_value(stack: Stack, namespace: str, value: str, name: str = "settings") -> None:
    until(lambda: value_of(stack, namespace, name) == value, within=60, what=f"{name} is {value}")


def sign_with(repository: Repository, key: SshKey) -> None:
    repository.git("config", "gpg.format", "ssh")
    repository.git("config", "user.signingKey", str(key.path))


def push_signed(repository: Repository, files: dict[str, str | bytes | None]) -> str:
    repository.write(files)
    repository.git("add", "-A")
    repository.git("commit", "-q", "-S", "-m", "signed")
    repository.git("push", "-q", "origin", f"HEAD:{repository.branch}")
    return repository.git("rev-parse", "HEAD")


def test_only_what_somebody_signed_is_applied_and_the_source_says_who(
    stack: Stack, namespace: str, tmp_path: Path
) -> None:
    key = SshKey(tmp_path)
    repository = stack.repository(
        f"{namespace}-signed", {"a.yaml": config("settings", namespace=namespace, value="unsigned")}
    )
    stack.apply(
        secret(namespace, "keys", **{"bob.sshpub": key.public.decode()}),
        git_repository(
            namespace, repository.url, interval="1s", verify={"mode": "HEAD", "secretRef": {"name": "keys"}}
        ),
        kustomization(namespace),
    )
    until(
        lambda: (
            stack.condition("gitrepository", "repo", namespace, "SourceVerified").get("reason")
            == "InvalidCommitSignature"
        ),
        within=60,
        what="the unsigned commit is refused",
    )
    assert value_of(stack, namespace) == ""

    sign_with(repository, key)
    commit = push_signed(repository, {"a.yaml": config("settings", namespace=namespace, value="signed")})
    until_value(stack, namespace, "signed")
    verified = until(
        lambda: (
            (row := stack.condition("gitrepository", "repo", namespace, "SourceVerified")).get("status") == "True"
            and row
        )
    )
    assert verified["message"] == f"verified signature of\n\t- commit '{commit}' with key '{key.fingerprint}'"
    assert stack.status("gitrepository", "repo", namespace)["sourceVerificationMode"] == "HEAD"

    repository.push({"a.yaml": config("settings", namespace=namespace, value="unsigned")})
    until(lambda: stack.condition("gitrepository", "repo", namespace, "SourceVerified").get("status") == "False")
    assert value_of(stack, namespace) == "signed", "Apps stay on what was verified last"


def test_content_of_another_repository_is_put_in_and_followed(stack: Stack, namespace: str) -> None:
    other = stack.repository(
        f"{namespace}-other", {"deploy/a.yaml": config("settings", namespace=namespace, value="one")}
    )
    own = stack.repository(f"{namespace}-own", {"readme.md": "nothing to apply here\n"})
    theirs = git_repository(namespace, other.url, interval="1s")
    theirs["metadata"]["name"] = "other"
    include = [{"repository": {"name": "other"}, "fromPath": "deploy", "toPath": "apps/vendor"}]
    stack.apply(
        git_repository(namespace, own.url, include=include), theirs, kustomization(namespace, path="./apps/vendor")
    )
    until_value(stack, namespace, "one")
    status = stack.status("gitrepository", "repo", namespace)
    assert status["observedInclude"] == include
    assert [row["revision"] for row in status["includedArtifacts"]] == [f"main@sha1:{other.git('rev-parse', 'HEAD')}"]
    first = status["artifact"]

    other.push({"deploy/a.yaml": config("settings", namespace=namespace, value="two")})
    until_value(stack, namespace, "two")
    second = stack.status("gitrepository", "repo", namespace)["artifact"]
    assert (second["revision"], second["digest"] != first["digest"]) == (first["revision"], True)


def test_a_remote_base_is_followed_at_the_apps_interval(stack: Stack, namespace: str) -> None:
    base = stack.repository(
        f"{namespace}-base",
        {
            "base/kustomization.yaml": "resources: [a.yaml]\n",
            "base/a.yaml": config("settings", namespace=namespace, value="one"),
            "elsewhere/b.yaml": config("other", namespace=namespace, value="x"),
        },
    )
    own = stack.repository(f"{namespace}-app", {"kustomization.yaml": f"resources: ['{base.url}//base?ref=main']\n"})
    stack.apply(git_repository(namespace, own.url), kustomization(namespace, interval="2s"))
    until_value(stack, namespace, "one")
    base.push({"base/a.yaml": config("settings", namespace=namespace, value="two")})
    until_value(stack, namespace, "two")
