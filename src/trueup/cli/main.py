"""`trueup`: the program's entry. Each command is in a module of its own and is imported only when it is used."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup

COMMANDS: dict[str, str] = {
    "up": "trueup.cli.up:up",
    "down": "trueup.cli.up:down",
    "sandbox": "trueup.cli.sandbox:sandbox",
    "status": "trueup.cli.up:status",
    "get": "trueup.cli.get:get",
    "describe": "trueup.cli.describe:describe",
    "tree": "trueup.cli.tree:tree",
    "events": "trueup.cli.events:events",
    "history": "trueup.cli.history:history",
    "health": "trueup.cli.health:health",
    "sync": "trueup.cli.sync:sync",
    "reconcile": "trueup.cli.sync:sync",
    "diff": "trueup.cli.diff:diff",
    "rollback": "trueup.cli.rollback:rollback",
    "suspend": "trueup.cli.suspend:suspend",
    "resume": "trueup.cli.suspend:resume",
    "create": "trueup.cli.create:create",
    "delete": "trueup.cli.delete:delete",
    "render": "trueup.cli.render:render",
    "build": "trueup.cli.build:build",
    "parameters": "trueup.cli.parameters:parameters",
    "validate": "trueup.cli.validate:validate",
    "envsubst": "trueup.cli.envsubst:envsubst",
    "logs": "trueup.cli.logs:logs",
    "cache": "trueup.cli.cache:cache",
    "rbac": "trueup.cli.rbac:rbac",
    "audit": "trueup.cli.audit:audit",
    "login": "trueup.cli.login:login",
    "logout": "trueup.cli.login:logout",
    "context": "trueup.cli.login:context",
    "install": "trueup.cli.install:install",
    "uninstall": "trueup.cli.uninstall:uninstall",
    "check": "trueup.cli.check:check",
    "run": "trueup.cli.run:run",
    "server": "trueup.cli.server:server",
    "completion": "trueup.cli.completion:completion",
    "version": "trueup.cli.version:version",
}
"""Name -> module:function. The order is that of `trueup --help`."""


class LazyGroup(TyperGroup):
    """Knows its commands by name and imports one only when it is called, so that `trueup version` is quick."""

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        target = getattr(importlib.import_module(module), name)
        if not isinstance(target, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(target)
            target = single
        command = typer.main.get_command(target)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,  # `trueup completion` prints the scripts
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="GitOps for Kubernetes: what Git declares is what runs.",
)


@app.callback()
def _trueup() -> None:
    """GitOps for Kubernetes: what Git declares is what runs."""


def main(arguments: list[str] | None = None) -> None:
    if "_TRUEUP_COMPLETE" in os.environ:  # a shell asks for words
        completion_init()
    app(sys.argv[1:] if arguments is None else arguments, prog_name="trueup")


if __name__ == "__main__":
    main()
