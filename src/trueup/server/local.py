"""What a server of `trueup up` says of the machine that it runs on, so that the pages can write commands for this machine.

Only signed-in people are told, and only by such a server: in a cluster the answer is that there is nothing of the kind.
"""

from __future__ import annotations

from msgspec import Struct

from trueup.server.api.call import Call
from trueup.server.api.operation import SIGNED_IN, Answer, Operation


class Local(Struct, frozen=True, kw_only=True):
    """`up`: this server belongs to `trueup up`. Everything else is empty where it does not."""

    up: bool = False
    repository: str = ""
    """URL of the sample repository, as people clone it; empty: there is no sample."""
    kubeconfig: str = ""
    """Path of the kubeconfig of the embedded Kubernetes."""
    trueup: str = ""
    """What to write on this machine's terminal to run the command line."""
    kubectl: bool = False
    """Whether there is a `kubectl` on the PATH."""


def local_operations(local: Local) -> list[Operation]:
    async def told(_: Call) -> Answer:
        return Answer(body=local)

    return [
        Operation(
            id="about.local",
            method="GET",
            path="/api/trueup/v1/local",
            summary="Whether this is `trueup up`, and where its sample and kubeconfig are",
            access=SIGNED_IN,
            answer=Local,
            handler=told,
        )
    ]
