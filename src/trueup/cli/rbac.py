"""`trueup rbac`: may they, why, and what is wrong with the policy. Argo CD's policies, before or after they are in force; or Kubernetes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from rich.text import Text

from trueup.cli.components import NAMESPACE
from trueup.cli.console import Exit, out, shown, tell
from trueup.cli.options import Context, Format, Kubeconfig, Output
from trueup.cli.output import write_data
from trueup.cli.policies import Sources, from_cluster, from_files
from trueup.cli.rbackubernetes import Judged, deciding, judge
from trueup.cli.session import in_session
from trueup.cli.table import Cell, print_table
from trueup.dialects.argocd.shared import CONTROL_NAMESPACE
from trueup.model.errors import InvalidInput
from trueup.model.rights import Rights
from trueup.server.access.builtin import ACTIONS, PROJECT_RESOURCES
from trueup.server.access.deciding import Decider, Decision, Match, Person, Request
from trueup.server.access.lint import Finding, Severity, lint
from trueup.server.access.rules import Effect

rbac = typer.Typer(
    no_args_is_help=True, help="May they? Decided and explained, by policies or by Kubernetes; and policies checked."
)

Who = Annotated[str, typer.Argument(metavar="WHO", help="A user, a role (role:dev), or proj:PROJECT:ROLE.")]
Action = Annotated[str, typer.Argument(metavar="ACTION", help="get, sync, action/apps/Deployment/restart, …")]
Resource = Annotated[str, typer.Argument(metavar="RESOURCE", help="applications, clusters, logs, …")]
Object = Annotated[str, typer.Argument(metavar="[OBJECT]", help="PROJECT/NAME, or a name. Default: any.")]
Groups = Annotated[list[str] | None, typer.Option("--group", "-g", help="A group of theirs; may be repeated.")]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy-file", "-f", help="CSV, or YAML with the ConfigMap and AppProjects, instead of the cluster's."
    ),
]
Deciding = Annotated[
    Rights | None, typer.Option("--rights", help="What decides; default: what the cluster's installation says.")
]
Where = Annotated[str, typer.Option("--namespace", "-n", help="Argo CD's namespace.", rich_help_panel="Cluster")]

_ALIASES = {
    "app": "applications", "apps": "applications", "application": "applications",
    "appset": "applicationsets", "appsets": "applicationsets", "applicationset": "applicationsets",
    "proj": "projects", "projs": "projects", "project": "projects",
    "repo": "repositories", "repos": "repositories", "repository": "repositories",
    "cert": "certificates", "certs": "certificates", "certificate": "certificates",
    "cluster": "clusters", "account": "accounts", "log": "logs", "extension": "extensions",
    "gpgkey": "gpgkeys", "key": "gpgkeys",
}  # fmt: skip


class Answer(Struct, frozen=True, kw_only=True):
    """What `-o json` gives."""

    allowed: bool
    request: str
    reason: str
    rules: tuple[str, ...] = ()


@rbac.command("can")
@shown
def can(
    who: Who,
    action: Action,
    resource: Resource,
    target: Object = "*",
    groups: Groups = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the exit code: 0 yes, 1 no.")] = False,
    files: Files = None,
    rights: Deciding = None,
    namespace: Where = CONTROL_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Say yes or no (exit code 0 or 1): may they do that?"""
    if files is None and _asked(rights, kubeconfig, context) is Rights.KUBERNETES:
        judged = _judged(_request(action, resource, target), who, groups, namespace, kubeconfig, context)
        allowed = bool(judged) and all(one.allowed for one in judged)
        if not quiet:
            out.print("Yes" if allowed else "No")
        sys.exit(int(Exit.OK if allowed else Exit.FAILED))
    decision = _decide(_request(action, resource, target), who, groups, _sources(files, namespace, kubeconfig, context))
    if not quiet:
        out.print("Yes" if decision.allowed else "No")
    sys.exit(int(Exit.OK if decision.allowed else Exit.FAILED))


@rbac.command("explain")
@shown
def explain(
    who: Who,
    action: Annotated[str, typer.Argument(metavar="[ACTION]", help="Without it: everything that they may.")] = "",
    resource: Annotated[str, typer.Argument(metavar="[RESOURCE]", help="applications, clusters, logs, …")] = "",
    target: Object = "*",
    groups: Groups = None,
    output: Format = Output.TABLE,
    files: Files = None,
    rights: Deciding = None,
    namespace: Where = CONTROL_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Say why: the rules that decide, where they stand, and through which roles they hold."""
    if files is None and _asked(rights, kubeconfig, context) is Rights.KUBERNETES:
        if not (action and resource):
            raise InvalidInput(
                "Kubernetes decides here, and is asked about one thing at a time",
                hint=f"trueup rbac explain {who} sync applications Kustomization/NAMESPACE/NAME; all: kubectl auth can-i --list --as {who}",
            )
        request = _request(action, resource, target)
        _print_judged(request, who, _judged(request, who, groups, namespace, kubeconfig, context), output)
        return
    sources = _sources(files, namespace, kubeconfig, context)
    if action and not resource:
        raise InvalidInput("an action needs a resource", hint=f"trueup rbac explain {who} {action} applications")
    if not action:
        matches = Decider(sources.policy, sources.projects).everything(Person(name=who, groups=tuple(groups or ())))
        _print_matches(matches, output, f"no rule speaks of {who}")
        return
    request = _request(action, resource, target)
    decision = _decide(request, who, groups, sources)
    reason = _reason(decision, who)
    if output is not Output.TABLE:
        rules = tuple(f"{match.rule} ({match.rule.place})" for match in decision.matches)
        write_data(Answer(allowed=decision.allowed, request=str(request), reason=reason, rules=rules), output)
        return
    word = Text("Yes", style="bold green") if decision.allowed else Text("No", style="bold red")
    out.print(word.append(f"  {who}: {request}: {reason}", style="not bold default"))
    if decision.matches:
        _print_matches(decision.matches, output, "")


@rbac.command("lint")
@shown
def lint_policy(
    output: Format = Output.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    files: Files = None,
    namespace: Where = CONTROL_NAMESPACE,
    kubeconfig: Kubeconfig = None,
    context: Context = "",
) -> None:
    """Check a policy: lines that cannot be read, that do nothing, or that contradict each other. Exit code 1 on errors."""
    findings = lint(_sources(files, namespace, kubeconfig, context).policy)
    if output is not Output.TABLE:
        write_data([_plain(finding) for finding in findings], output)
    elif findings:
        rows: list[list[Cell]] = [
            [str(finding.place), _severity(finding.severity), finding.message, finding.hint] for finding in findings
        ]
        print_table(out, ("WHERE", "WHAT", "MESSAGE", "TRY"), rows)
    else:
        tell("nothing found")
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    if any(finding.severity in failing for finding in findings):
        sys.exit(int(Exit.FAILED))


def _asked(rights: Rights | None, kubeconfig: Path | None, context: str) -> Rights:
    """What decides: as told, else as the installation says."""
    if rights is not None:
        return rights
    return in_session(lambda session: deciding(session.client, NAMESPACE), kubeconfig, context)


def _judged(
    request: Request, who: str, groups: list[str] | None, namespace: str, kubeconfig: Path | None, context: str
) -> list[Judged]:
    asked = (request.action, request.resource, request.object)
    return in_session(
        lambda session: judge(session.client, who, tuple(groups or ()), asked, namespace), kubeconfig, context
    )


def _print_judged(request: Request, who: str, judged: list[Judged], output: Output) -> None:
    allowed = bool(judged) and all(one.allowed for one in judged)
    reason = "by Kubernetes' RBAC" if judged else "nothing in Kubernetes stands for it, so nobody may"
    if output is not Output.TABLE:
        rules = tuple(f"{one.right}: {'yes' if one.allowed else 'no'}: {one.reason}" for one in judged)
        write_data(Answer(allowed=allowed, request=str(request), reason=reason, rules=rules), output)
        return
    word = Text("Yes", style="bold green") if allowed else Text("No", style="bold red")
    out.print(word.append(f"  {who}: {request}: {reason}", style="not bold default"))
    if judged:
        rows: list[list[Cell]] = [[_yes(one.allowed), one.right, one.reason] for one in judged]
        print_table(out, ("ALLOWED", "RIGHT", "WHY"), rows)


def _yes(allowed: bool) -> Text:
    return Text("yes", style="green") if allowed else Text("no", style="red")


def _sources(files: list[Path] | None, namespace: str, kubeconfig: Path | None, context: str) -> Sources:
    if files:
        return from_files(files)
    return in_session(lambda session: from_cluster(session, namespace), kubeconfig, context)


def _decide(request: Request, who: str, groups: list[str] | None, sources: Sources) -> Decision:
    """Raises InvalidInput where Argo CD would not have taken the policy."""
    person = Person(name=who, groups=tuple(groups or ()))
    return Decider(sources.policy.strict(), sources.projects).decide(person, request)


def _request(action: str, resource: str, target: str) -> Request:
    resource = _ALIASES.get(resource, resource)
    if resource not in ACTIONS:
        raise InvalidInput(f"there is no resource {resource!r}", hint=f"one of: {', '.join(ACTIONS)}")
    if target == "*" and resource in PROJECT_RESOURCES:
        target = "*/*"
    return Request(resource=resource, action=action, object=target)


def _reason(decision: Decision, who: str) -> str:
    if not decision.matches:
        return "no rule speaks of it"
    match = decision.matches[0]
    if not decision.allowed:
        return f"{match.rule.place} denies it"
    if decision.default:
        return f"everybody may, by the default role {match.path[0]}"
    through = " -> ".join(match.path[1:])
    return f"{match.rule.place} allows it" + (f", through {through}" if through else f" to {who}")


def _print_matches(matches: Iterable[Match], output: Output, nothing: str) -> None:
    matches = list(matches)
    if output is not Output.TABLE:
        write_data([{"rule": str(m.rule), "place": str(m.rule.place), "path": list(m.path)} for m in matches], output)
        return
    if not matches:
        tell(nothing)
        return
    rows: list[list[Cell]] = [
        [
            _effect(match.rule.effect),
            match.rule.resource,
            match.rule.action,
            match.rule.object,
            " -> ".join(match.path),
            str(match.rule.place),
        ]
        for match in matches
    ]
    print_table(out, ("EFFECT", "RESOURCE", "ACTION", "OBJECT", "THROUGH", "WHERE"), rows)


def _effect(effect: Effect) -> Text:
    return Text(effect.value, style="green" if effect is Effect.ALLOW else "red")


def _severity(severity: Severity) -> Text:
    return Text(severity.value, style="red" if severity is Severity.ERROR else "yellow")


def _plain(finding: Finding) -> dict[str, str]:
    return {
        "where": str(finding.place),
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
    }
