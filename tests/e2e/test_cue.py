"""A CUE package is synced for the App that asks for it, and again when a tag or a file that it imports changes."""

from __future__ import annotations

from tests.e2e.stack import Stack, git_repository, kustomization, until

MODULE = 'module: "example.com/shop"\nlanguage: version: "v0.16.0"\n'
LIBRARY = 'package lib\n#Config: {apiVersion: "v1", kind: "ConfigMap", metadata: name: string, data: {...}}\n'
PACKAGE = """\
package web

import "example.com/shop/lib"

_env:   *"dev" | "prod" @tag(env)
config: lib.#Config & {metadata: name: "web", data: env: _env}
"""


def test_a_package_is_synced_and_a_tag_or_an_import_that_changes_syncs_it_again(stack: Stack, namespace: str) -> None:
    files = {"cue.mod/module.cue": MODULE, "lib/lib.cue": LIBRARY, "apps/web/web.cue": PACKAGE}
    repo = stack.repository(namespace, files)
    wanted = kustomization(namespace, "./apps/web")
    wanted["metadata"]["annotations"] = {"trueup.dev/render": "cue", "trueup.dev/cue-tags": "env=dev"}
    stack.apply(git_repository(namespace, repo.url), wanted)

    def data() -> dict[str, str]:
        found = stack.get("configmap", "web", namespace)
        return found["data"] if found else {}

    stack.until_applied(namespace, within=60)
    assert data() == {"env": "dev"}
    stack.merge("kustomization", "app", namespace, {"metadata": {"annotations": {"trueup.dev/cue-tags": "env=prod"}}})
    until(lambda: data() == {"env": "prod"}, within=30, what="another tag")
    commit = repo.push({"lib/lib.cue": LIBRARY.replace("{...}", '{more: "yes", ...}')})
    stack.annotate("gitrepository", "repo", namespace, "reconcile.fluxcd.io/requestedAt=1")
    until(lambda: data() == {"env": "prod", "more": "yes"}, within=30, what="another import")

    repo.push({"apps/web/web.cue": PACKAGE.replace('"web"', "1")})
    stack.annotate("gitrepository", "repo", namespace, "reconcile.fluxcd.io/requestedAt=2")
    failed = stack.until_failed(namespace, "conflicting values")
    assert "apps/web/web.cue:6" in failed["message"]
    assert data()["more"] == "yes", f"what {commit[:7]} made is left alone"
