"""Which layer of an artifact is its content, and the files that this layer holds. Choosing is pure; reading blocks.

Flux takes the first layer, or the first of a media type, and leaves links out. Argo CD wants exactly one archive of a type on
its list, keeps links that stay inside, and opens the one directory that a packed chart has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from trueup.model.source import LayerOperation, LayerSelector
from trueup.sources.archive import DEFAULT_LIMITS, ArchiveLimits, ArchiveRefused, Links, unpack_tar
from trueup.sources.oci.manifest import Descriptor, Manifest, ManifestUnusable
from trueup.sources.storedfile import StoredFile, path_fault

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE_LAYER = "application/vnd.cncf.helm.chart.provenance.v1.prov"
TITLE = "org.opencontainers.image.title"
_MOST_LAYERS_ARGO = 10
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_GZIP_MAGIC = b"\x1f\x8b"


def select_layer(image: Manifest, selector: LayerSelector, what: str) -> Descriptor:
    """Raises ManifestUnusable, naming the layers that there are."""
    if selector.only:
        return _only_archive(image, selector.only, what)
    found = [layer for layer in image.layers if selector.media_type in ("", layer.media_type)]
    if not image.layers:
        raise ManifestUnusable(f"{what} has no layers", hint="push it with: flux push artifact, or oras push")
    if not found:
        raise ManifestUnusable(
            f"{what} has no layer of the type {selector.media_type!r}",
            hint=f"layerSelector.mediaType may be one of {_types(image)}",
        )
    return found[0]


def layer_files(
    file: IO[bytes], layer: Descriptor, selector: LayerSelector, what: str, limits: ArchiveLimits = DEFAULT_LIMITS
) -> Iterator[StoredFile]:
    """The files of a downloaded layer. Raises ArchiveRefused, ArchiveDamaged."""
    file.seek(0)
    if selector.operation is LayerOperation.COPY and not _is_archive(file):
        yield StoredFile(_file_name(layer), _whole(file, limits, what))
        return
    links = Links.KEEP if selector.only else Links.SKIP
    files = unpack_tar(file, limits=limits, links=links, what=what)
    yield from _opened(files, what) if selector.only and layer.media_type == CHART_LAYER else files


def _only_archive(image: Manifest, allowed: tuple[str, ...], what: str) -> Descriptor:
    if len(image.layers) > _MOST_LAYERS_ARGO:
        raise ManifestUnusable(f"{what} has {len(image.layers)} layers; {_MOST_LAYERS_ARGO} are the most")
    archives = [layer for layer in image.layers if layer.media_type.endswith(("tar", "tar+gzip"))]
    for layer in archives:
        if layer.media_type not in allowed:
            raise ManifestUnusable(
                f"{what} has a layer of the type {layer.media_type!r}", hint=f"allowed are {', '.join(allowed)}"
            )
    if len(archives) != 1:
        raise ManifestUnusable(
            f"{what} has {len(archives)} layers with content, and must have one", hint=f"its layers are {_types(image)}"
        )
    return archives[0]


def _types(image: Manifest) -> str:
    return ", ".join(sorted({layer.media_type[:100] for layer in image.layers})) or "none"


def _is_archive(file: IO[bytes]) -> bool:
    begin = file.read(_TAR_MAGIC_AT + len(_TAR_MAGIC))
    file.seek(0)
    return begin.startswith(_GZIP_MAGIC) or begin[_TAR_MAGIC_AT:] == _TAR_MAGIC


def _file_name(layer: Descriptor) -> str:
    title = layer.annotations.get(TITLE, "")
    return title if title and not path_fault(title) else layer.digest.partition(":")[2]


def _whole(file: IO[bytes], limits: ArchiveLimits, what: str) -> bytes:
    data = file.read(limits.single + 1)
    if len(data) > limits.single:
        raise ArchiveRefused(f"{what} is one file of more than {limits.single} bytes (limit)")
    return data


def _opened(files: Iterator[StoredFile], what: str) -> Iterator[StoredFile]:
    top: set[str] = set()
    for file in files:
        name, inside, rest = file.path.partition("/")
        top.add(name)
        if not inside or len(top) > 1:
            raise ArchiveRefused(f"{what} is no packed chart: it must hold one directory and nothing beside it")
        yield StoredFile(rest, file.data, file.executable, file.link)
