"""What is wanted of a release, and small words about its actions. Pure."""

from __future__ import annotations

from msgspec import structs

from trueup.controllers.releases.work import ReleaseWork
from trueup.model.app import App
from trueup.model.release import ReleaseSpec
from trueup.model.releaserecord import ChartMetadata
from trueup.model.releasestate import Mark, ReleaseAction, ReleaseState
from trueup.model.revision import Revision
from trueup.sources.helm.versions import with_metadata
from trueup.sync.canonical import keyed_digest
from trueup.sync.releases.decide import active_remediation
from trueup.sync.releases.standing import Wanted


def wanted(work: ReleaseWork) -> Wanted:
    remediation, _ = active_remediation(work.spec, work.state)
    ignores = remediation.ignore_test_failures if remediation is not None else work.spec.test.ignore_failures
    return Wanted(
        chart=work.chart,
        config_digest=work.config_digest,
        generation=work.app.generation,
        post_render_digest=post_render_digest(work.spec),
        test=work.spec.test.enable,
        ignore_test_failures=ignores,
        preserve_values=work.spec.upgrade.preserve_values,
    )


def post_render_digest(spec: ReleaseSpec) -> str:
    """Of everything that is done to what the chart gives; empty where nothing is asked for."""
    asked = (spec.post_renderers, spec.common_metadata, spec.post_render_strategy)
    if not spec.post_renderers and not spec.common_metadata.labels and not spec.common_metadata.annotations:
        return ""
    return "sha256:" + keyed_digest(repr(asked), b"")


def artifact_digest(revision: Revision, spec: ReleaseSpec) -> str:
    """`sha256:...` of the artifact that is the chart; empty where the chart is told by its version alone."""
    return f"{revision.algorithm}:{revision.digest}" if spec.artifact_digest and revision.digest else ""


def versioned(metadata: ChartMetadata, revision: Revision, spec: ReleaseSpec) -> ChartMetadata:
    """Flux appends the digest of an artifact to the chart's version, so that another artifact is another release."""
    if not artifact_digest(revision, spec):
        return metadata
    return structs.replace(metadata, version=with_metadata(metadata.version, revision.digest[:12]))


def with_release(app: App, spec: ReleaseSpec) -> App:
    owner = structs.replace(
        app.rules.owner,
        annotations={
            key: spec.name if key.endswith("release-name") else spec.namespace for key in app.rules.owner.annotations
        },
    )
    rules = structs.replace(app.rules, owner=owner, default_namespace=spec.namespace)
    return structs.replace(app, release=spec, rules=rules)


def counted_tests(number: int) -> str:
    if not number:
        return "no test hooks"
    return f"{number} test {'hook' if number == 1 else 'hooks'} completed successfully"


def mark_of(action: ReleaseAction, state: ReleaseState) -> Mark | None:
    match action:
        case ReleaseAction.INSTALL | ReleaseAction.UPGRADE:
            return state.released
        case ReleaseAction.TEST:
            return state.tested
        case ReleaseAction.ROLLBACK | ReleaseAction.UNINSTALL | ReleaseAction.REMOVE:
            return state.remediated
        case ReleaseAction.UNLOCK:
            return None
