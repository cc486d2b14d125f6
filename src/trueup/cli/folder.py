"""A folder of a working tree as something to render: by whose rules, and with what where it holds a chart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from trueup.model.errors import InvalidInput
from trueup.model.rendering import (
    CueOptions,
    DirectoryOptions,
    HelmOptions,
    HelmValueFile,
    RenderMode,
    RenderSpec,
    Substitution,
)
from trueup.render.files import KUSTOMIZATION_FILES
from trueup.sources.worktree import WorktreeSnapshot

DEFAULT_NAMESPACE = "default"


class FolderOptions(Struct, frozen=True, kw_only=True):
    """What the command line says. `mode` None: a chart where there is one, else as Flux."""

    mode: RenderMode | None = None
    recurse: bool = False
    variables: dict[str, str] | None = None
    release: str = ""
    namespace: str = ""
    values: tuple[Path, ...] = ()
    set: tuple[str, ...] = ()
    cue: CueOptions | None = None

    @property
    def for_chart(self) -> bool:
        return bool(self.release or self.namespace or self.values or self.set)


def is_folder(text: str) -> bool:
    """`.`, `./apps`, `/srv/apps`, `apps/web/` are folders; a bare word is an App's name."""
    return text in (".", "..") or text.startswith(("./", "../", "/", "~/")) or text.endswith("/")


@contextmanager
def or_folder(text: str) -> Iterator[None]:
    """Around the search for an App: where there is none and a folder has the name, the error says how folders are written."""
    try:
        yield
    except InvalidInput as error:
        if not Path(text).is_dir():
            raise
        raise InvalidInput(error.message, hint=f"the folder is written ./{text}") from error


def folder_spec(snapshot: WorktreeSnapshot, inside: str, options: FolderOptions) -> RenderSpec:
    """Raises InvalidInput where options and folder do not go together. Blocks on the disk."""
    chart = options.cue is None and holds_chart(snapshot, inside)
    if options.for_chart and not chart:
        raise InvalidInput(
            f"{inside or '.'} holds no chart, and --release, --values and --set are for one",
            hint="name the folder that holds Chart.yaml",
        )
    substitution = Substitution(variables=options.variables) if options.variables is not None else None
    mode = options.mode or (RenderMode.ARGOCD if chart else RenderMode.FLUX)
    return RenderSpec(
        path=inside,
        mode=mode,
        directory=DirectoryOptions(recurse=True) if options.recurse else None,
        helm=_helm(snapshot, inside, options) if chart else None,
        cue=options.cue,
        substitution=substitution,
    )


def holds_chart(snapshot: WorktreeSnapshot, folder: str) -> bool:
    """A kustomization file goes before a chart, as in Argo CD."""
    below = f"{folder}/" if folder else ""
    if any(snapshot.entry(below + name) is not None for name in KUSTOMIZATION_FILES):
        return False
    return snapshot.entry(f"{below}Chart.yaml") is not None


def _helm(snapshot: WorktreeSnapshot, inside: str, options: FolderOptions) -> HelmOptions:
    return HelmOptions(
        release_name=options.release or (inside.rpartition("/")[2] or snapshot.root.name),
        namespace=options.namespace or DEFAULT_NAMESPACE,
        value_files=tuple(HelmValueFile(_in_tree(snapshot, path)) for path in options.values),
        set=options.set,
    )


def _in_tree(snapshot: WorktreeSnapshot, path: Path) -> str:
    place = path.expanduser().absolute()
    try:
        return place.resolve().relative_to(snapshot.root.resolve()).as_posix()
    except ValueError as error:
        raise InvalidInput(
            f"the values file {path} is outside the working tree {snapshot.root}",
            hint="put it into the tree: a render reads nothing outside",
        ) from error
