"""The cases on a real kube-apiserver: what is recorded is what it does."""

from __future__ import annotations

import asyncio

import pytest

from tests.embedded.schema.realschemas import Answers, ask, recorded
from tests.peers.controlplane import ControlPlane


@pytest.mark.real
def test_the_real_server_still_answers_what_is_recorded() -> None:
    async def answers() -> Answers:
        control_plane = ControlPlane(controllers=False)
        await control_plane.start()
        try:
            return await ask(control_plane)
        finally:
            await control_plane.stop()

    now = asyncio.run(answers())
    changed = {title for title, answer in now.objects.items() if answer != recorded().objects.get(title)}
    changed |= {title for title, answer in now.crds.items() if answer != recorded().crds.get(title)}
    assert not changed, "record anew with `python -m tests.embedded.schema.realschemas`"
