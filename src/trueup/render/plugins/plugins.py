"""Which plugin renders a path, and its run: a checkout of its own, `init`, `generate`, the output read by the Go reader.

What a plugin looks at cannot be told, so every revision is another question to it, and nothing that it prints is kept on a
disk: it may have put a Secret into it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from trueup.model.errors import BuildFailed
from trueup.model.manifest import Origin
from trueup.model.rendering import Capabilities, PluginCall, RenderMode, RenderSpec
from trueup.model.snapshot import Input, InputKind, Inputs, Snapshot
from trueup.render.building import clean_path
from trueup.render.built import Asked, Build
from trueup.render.engine.frames import File
from trueup.render.engine.pool import EnginePool
from trueup.render.givenfiles import GivenFiles
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits
from trueup.render.plugins.checkout import write_tree
from trueup.render.plugins.definitions import Announcement, Plugin, read_announcements
from trueup.render.plugins.environment import environment
from trueup.render.plugins.launcher import NOBODY
from trueup.render.plugins.sandbox import Sandbox, SandboxLimits, run
from trueup.render.requests import request_objects
from trueup.render.valuefiles import matching

SOURCE_TYPE = "Plugin"
OUTPUT = "plugin output"
AT_ONCE = 2


class Plugins:
    """The plugins that are installed. `hide`: folders of the controller that no plugin is to see."""

    def __init__(
        self,
        plugins: Sequence[Plugin],
        *,
        hide: Sequence[str] = (),
        limits: SandboxLimits = SandboxLimits(),  # noqa: B008 frozen
        scratch: Path | None = None,
    ) -> None:
        self._plugins = {plugin.name: plugin for plugin in plugins}
        self._hide = tuple(hide)
        self._limits = limits
        self._scratch = scratch
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def choose(
        self, snapshot: Snapshot, spec: RenderSpec, limits: RenderLimits
    ) -> tuple[Plugin | None, frozenset[Input]]:
        """By the name that the App says, else the first whose discovery fits; and the looks that it took to find none.

        Raises BuildFailed where the App asks for a plugin and there is none.
        """
        call = spec.plugin
        if call is None or not (call.asked or _may_be_discovered(spec)):
            return None, frozenset()
        if call.name:
            if (plugin := self._plugins.get(call.name)) is None:
                known = ", ".join(sorted(self._plugins)) or "none"
                raise BuildFailed(f"there is no plugin named {call.name}", hint=f"installed are: {known}")
            return plugin, frozenset()
        recorder = Recorder(snapshot)
        looks: frozenset[Input] = frozenset()
        for plugin in self._plugins.values():
            if plugin.spec.discover.is_set and await self._fits(plugin, snapshot, spec, recorder, limits):
                return plugin, frozenset()
            if plugin.spec.discover.find.line and not plugin.spec.discover.file_name:
                looks = frozenset({_any_revision(snapshot)})
        if call.asked:
            raise BuildFailed("no plugin says that this path is its own", hint="name one: source.plugin.name")
        return None, looks | frozenset(recorder.inputs().items)

    async def build(
        self,
        plugin: Plugin,
        snapshot: Snapshot,
        spec: RenderSpec,
        engines: EnginePool,
        limits: RenderLimits,
        capabilities: Capabilities,
    ) -> Build:
        """Raises BuildFailed with what the command said."""
        async with self._turn, self._checkout(plugin, snapshot, spec, capabilities) as sandbox:
            if plugin.spec.init.line:
                await run(f"the init command of plugin {plugin.name}", plugin.spec.init.line, sandbox)
            output = await run(f"the generate command of plugin {plugin.name}", plugin.spec.generate.line, sandbox)
        if len(output) > limits.output_bytes:
            raise BuildFailed(f"plugin {plugin.name} printed more than {limits.output_bytes} bytes")
        found = await engines.use(lambda engine: request_objects(
            engine,
            "read",
            {"paths": [OUTPUT], "maxObjects": limits.objects, "maxBytes": limits.output_bytes},
            GivenFiles({OUTPUT: output}),
            ((File(path=OUTPUT, is_="file", at=OUTPUT, size=len(output)),), (output,)),
        ), seconds=limits.seconds)  # fmt: skip
        return Build(
            objects=found.objects,
            inputs=Inputs.of(snapshot.id, (_any_revision(snapshot),)),
            source_type=SOURCE_TYPE,
            asked=Asked(kube_version=capabilities.kube_version),
        )

    async def parameters(
        self, plugin: Plugin, snapshot: Snapshot, spec: RenderSpec, capabilities: Capabilities
    ) -> tuple[Announcement, ...]:
        """What it says that it takes: what its command finds out, and what its file says; of one name the file's counts.

        Raises BuildFailed with what the command said.
        """
        said = plugin.spec.parameters
        if not said.dynamic.line:
            return said.static
        what = f"the parameters command of plugin {plugin.name}"
        async with self._turn, self._checkout(plugin, snapshot, spec, capabilities) as sandbox:
            output = await run(what, said.dynamic.line, sandbox)
        named = {each.name for each in said.static}
        return (*(each for each in read_announcements(output, what) if each.name not in named), *said.static)

    async def _fits(
        self, plugin: Plugin, snapshot: Snapshot, spec: RenderSpec, recorder: Recorder, limits: RenderLimits
    ) -> bool:
        """The first of the plugin's rules that is set decides, as in Argo CD."""
        discover, path = plugin.spec.discover, clean_path(spec.path)
        if pattern := discover.file_name or discover.find.glob:
            wanted = join(path, clean_path(pattern))
            return any(True for _ in matching(recorder, wanted, limits))
        try:
            async with self._turn, self._checkout(plugin, snapshot, spec, Capabilities()) as sandbox:
                return bool((await run(f"the find command of {plugin.name}", discover.find.line, sandbox)).strip())
        except BuildFailed:
            return False

    @asynccontextmanager
    async def _checkout(
        self, plugin: Plugin, snapshot: Snapshot, spec: RenderSpec, capabilities: Capabilities
    ) -> AsyncIterator[Sandbox]:
        scratch = await asyncio.to_thread(tempfile.mkdtemp, prefix="trueup-plugin-", dir=self._scratch)
        root, home = Path(scratch) / "source", Path(scratch) / "home"
        try:
            await asyncio.to_thread(_prepare, snapshot, root, home, plugin.spec.preserve_file_mode)
            path = clean_path(spec.path)
            cwd = (root / path).resolve()
            if not cwd.is_relative_to(root.resolve()) or not cwd.is_dir():
                raise BuildFailed(f"the path {spec.path!r} does not exist", origin=Origin(path))
            yield Sandbox(
                cwd=cwd,
                environment=environment(
                    spec.plugin or PluginCall(),
                    snapshot.revision,
                    capabilities,
                    path=os.environ.get("PATH", os.defpath),
                    home=str(home),
                ),
                limits=self._limits,
                hide=self._hide,
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _prepare(snapshot: Snapshot, root: Path, home: Path, modes: bool) -> None:
    """Blocks. The files belong to whom the commands run as."""
    home.mkdir(mode=0o700)
    write_tree(snapshot, root, modes=modes)
    if os.geteuid() != 0:
        return
    root.parent.chmod(0o711)
    for folder, _, files in os.walk(root.parent):
        if folder != str(root.parent):
            os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)
        for name in files:
            os.chown(Path(folder) / name, NOBODY, NOBODY, follow_symlinks=False)


def _may_be_discovered(spec: RenderSpec) -> bool:
    explicit = spec.directory is not None or spec.force_kustomize or spec.force_helm or spec.cue is not None
    return spec.mode is RenderMode.ARGOCD and not explicit


def _any_revision(snapshot: Snapshot) -> Input:
    return Input(InputKind.REVISION, "", str(snapshot.revision))
