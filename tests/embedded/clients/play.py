"""Plays topics: real processes of the pinned clients, with a kubeconfig and nothing else of this machine.

Topics run side by side, for each has its namespace; steps of one topic one after another.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec

from tests.embedded.clients.plain import plain_answer
from tests.embedded.clients.topic import FOLDER, Answer, Step, Topic
from tests.peers.locate import find_program

CHARTS = FOLDER / "charts"
WITHIN = 60.0
UNTIL_WITHIN = 20.0
AT_ONCE = 3


class Said(msgspec.Struct, frozen=True):
    """What a process said in the end."""

    code: int
    stdout: str
    stderr: str


class Going(msgspec.Struct):
    """A process that goes on, and what has been read from it."""

    process: asyncio.subprocess.Process
    text: str = ""

    async def read_until(self, has: str) -> None:
        """Reads up to the line that has this text; when none comes, says so in its place."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(WITHIN):
                while has not in self.text:
                    line = await self.process.stdout.readline()
                    self.text += line.decode() or f"(ended without {has!r})\n"
        except TimeoutError:
            self.text += f"(nothing with {has!r} within {WITHIN:.0f} s)\n"

    async def end(self, *, by_itself: bool) -> Said:
        """Ends it, or waits until it has ended; what it said of errors is all of it."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if not by_itself:
            await _end(self.process)
            return Said(0, self.text, (await self.process.stderr.read()).decode())
        try:
            async with asyncio.timeout(WITHIN):
                self.text += (await self.process.stdout.read()).decode()
                errors = (await self.process.stderr.read()).decode()
                return Said(await self.process.wait(), self.text, errors)
        except TimeoutError:
            return Said(124, self.text, f"(not done after {WITHIN:.0f} s)\n")
        finally:
            await _end(self.process)


class Player:
    """Runs the commands of topics against the cluster of a kubeconfig."""

    def __init__(self, kubeconfig: Path, node: str, home: Path) -> None:
        self._kubeconfig = kubeconfig
        self._node = node
        self._home = home
        self._programs = {name: find_program(name, print) for name in ("kubectl", "helm")}

    async def play_all(self, topics: Sequence[Topic]) -> dict[str, list[Answer]]:
        """The answers of each topic, by its name."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(topic: Topic) -> list[Answer]:
            async with free:
                return await self.play(topic)

        async with asyncio.TaskGroup() as group:
            tasks = {topic.name: group.create_task(one(topic), name=topic.name) for topic in topics if not topic.alone}
        answers = {name: task.result() for name, task in tasks.items()}
        return answers | {topic.name: await self.play(topic) for topic in topics if topic.alone}

    async def play(self, topic: Topic) -> list[Answer]:
        """Makes the topic's namespace and folder, and plays its steps there."""
        folder = self._home / topic.name
        folder.mkdir(parents=True)
        (folder / "charts").symlink_to(CHARTS)
        for name, text in topic.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._filled(text, topic), encoding="utf-8")
        running: dict[str, Going] = {}
        try:
            await self._prepare(topic, folder)
            answers = [await self._step(topic, step, folder, running) for step in topic.steps]
            return [each for each in answers if each is not None]
        finally:
            for each in running.values():
                await _end(each.process)

    async def _prepare(self, topic: Topic, folder: Path) -> None:
        made = await self._run(topic, Step(run=f"kubectl create namespace {topic.namespace}"), folder)
        if made.code:
            raise AssertionError(f"{topic.name}: {made.stderr}")
        # Pods wait for it on the real server, where a controller makes it.
        await self._until(topic, Step(run="kubectl get serviceaccounts -o name", until="/default"), folder)
        await self._until(topic, Step(run="kubectl get configmaps -o name", until="/kube-root-ca.crt"), folder)

    async def _step(self, topic: Topic, step: Step, folder: Path, running: dict[str, Going]) -> Answer | None:
        if step.start:
            going = running[step.start] = Going(await self._begin(topic, step, folder))
            await going.read_until(step.has)
            return None
        if step.finish:
            going = running[step.finish]
            if step.has:
                await going.read_until(step.has)
            said = await going.end(by_itself=not step.has)
            return plain_answer(step.command, step.show, said.code, said.stdout, said.stderr)
        if step.through:
            said = await _through(running[step.through].text, step)
            return plain_answer(step.command, step.show, said.code, said.stdout, said.stderr)
        said = await (self._until if step.until else self._run)(topic, step, folder)
        return plain_answer(step.command, step.show, said.code, said.stdout, said.stderr)

    async def _until(self, topic: Topic, step: Step, folder: Path) -> Said:
        async def wanted() -> Said:
            while True:
                said = await self._run(topic, step, folder)
                if step.until in said.stdout + said.stderr:
                    return said
                await asyncio.sleep(0.1)

        try:
            return await asyncio.wait_for(wanted(), UNTIL_WITHIN)
        except TimeoutError:
            return await self._run(topic, step, folder)

    async def _run(self, topic: Topic, step: Step, folder: Path) -> Said:
        process = await self._begin(topic, step, folder)
        try:
            async with asyncio.timeout(WITHIN):
                stdout, stderr = await process.communicate(self._filled(step.stdin, topic).encode())
        except TimeoutError:
            return Said(124, "", f"(not done after {WITHIN:.0f} s)\n")  # this step's fault, not that of all topics
        finally:
            await _end(process)
        return Said(process.returncode or 0, stdout.decode(), stderr.decode())

    async def _begin(self, topic: Topic, step: Step, folder: Path) -> asyncio.subprocess.Process:
        program, *arguments = shlex.split(self._filled(step.command, topic))
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            self._programs[program],
            "--namespace",
            topic.namespace,
            *arguments,
            env={**self._environment(), **step.env},
            cwd=folder,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )

    def _filled(self, text: str, topic: Topic) -> str:
        return text.replace("$NAMESPACE", topic.namespace).replace("$NODE", self._node)

    def _environment(self) -> dict[str, str]:
        server = hashlib.sha256(self._kubeconfig.read_bytes()).hexdigest()[:16]
        return {
            "HOME": str(self._home),
            "KUBECACHEDIR": str(self._home / server),
            "KUBECONFIG": str(self._kubeconfig),
            "KUBE_EDITOR": "false",
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


async def _through(forwarded: str, step: Step) -> Said:
    """One connection to what a `port-forward` listens on: a request of HTTP, or bytes and as many back. The code is 0 when
    it was answered. When the connection ends is not compared: the simulated kubelet of the real one never ends it first."""
    local = re.search(rf"127\.0\.0\.1:(\d+) -> {step.port}\b", forwarded)
    if local is None:
        return Said(1, "", f"(port {step.port} is not forwarded)\n")
    try:
        async with asyncio.timeout(WITHIN):
            return Said(0, await _asked(int(local[1]), step), "")
    except (OSError, EOFError, aiohttp.ClientError) as error:  # TimeoutError is an OSError
        return Said(1, "", "(no end of it)\n" if isinstance(error, TimeoutError) else "(no answer)\n")


async def _asked(port: int, step: Step) -> str:
    """What is answered; of a long page, how long it is and which. Raises when there is no whole answer."""
    if step.get:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{step.get}") as answer:
            page = await answer.read()
        if len(page) > 4096:
            page = f"{len(page)} bytes, sha256 {hashlib.sha256(page).hexdigest()}\n".encode()
        return f"{answer.status} {answer.reason}\n{page.decode()}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(step.say.encode())
        return (await reader.readexactly(len(step.say.encode()))).decode()
    finally:
        writer.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def play_on(kubeconfig: Path, node: str, topics: Sequence[Topic]) -> dict[str, list[Answer]]:
    """All topics on one cluster, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="trueup-clients-") as home:
        return await Player(kubeconfig, node, Path(home)).play_all(topics)
