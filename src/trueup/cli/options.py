"""The options that many commands share, each written once: which cluster, which namespace, which form of output."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trueup.cli.completing import complete_apps

_CLUSTER = "Cluster"


class Output(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Which cluster. Default: KUBECONFIG, else that of `trueup up`, else the pod's account or ~/.kube/config.",
        rich_help_panel=_CLUSTER,
    ),
]
Context = Annotated[str, typer.Option("--context", help="Context of the kubeconfig.", rich_help_panel=_CLUSTER)]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Only this namespace. Default: all.", rich_help_panel=_CLUSTER)
]
TargetNamespace = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace of the resource.", rich_help_panel=_CLUSTER)
]
Format = Annotated[Output, typer.Option("--output", "-o", help="Form of the output.")]
AppName = Annotated[
    str,
    typer.Argument(
        metavar="APP",
        help="NAME, NAMESPACE/NAME or kind/name (ks/web, app/guestbook).",
        autocompletion=complete_apps,
    ),
]
AppNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="APP", help="NAME, NAMESPACE/NAME or kind/name (ks/web).", autocompletion=complete_apps),
]
Timeout = Annotated[str, typer.Option("--timeout", help="How long to wait, such as 30s or 5m.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask, and do not wait for the outcome.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show every change.")]
