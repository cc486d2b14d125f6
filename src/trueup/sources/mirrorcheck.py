"""Whether a bare mirror on the disk can be trusted: cheap checks for what a crash or a full disk leaves behind.

A pack's index ends with the checksum of its pack, and the pack ends with the same: a truncated pack shows in two small
reads. Damage inside a pack shows when an object is read (every object's hash is checked then).
"""

from __future__ import annotations

from pathlib import Path

_HASH_SIZES = (20, 32)
_SHALLOWEST_PACK = 12 + 20


def mirror_damage(directory: Path) -> str | None:
    """What is wrong with a mirror, in words; None when nothing is. Blocks on the disk."""
    for name in ("HEAD", "config", "objects", "refs"):
        if not (directory / name).exists():
            return f"{name} is missing"
    try:
        if not (directory / "HEAD").read_bytes().startswith(b"ref: "):
            return "HEAD is damaged"
        packs = directory / "objects" / "pack"
        for index in sorted(packs.glob("*.idx")) if packs.exists() else ():
            if (damage := _pack_damage(index)) is not None:
                return damage
    except OSError as error:
        return str(error)
    return None


def remove_leftovers(directory: Path) -> None:
    """Removes what a killed git left: half-written packs and lock files. Only while no git works in the mirror."""
    for pattern in ("objects/pack/tmp_*", "objects/pack/.tmp-*", "*.lock", "refs/**/*.lock"):
        for leftover in directory.glob(pattern):
            leftover.unlink(missing_ok=True)


def _pack_damage(index: Path) -> str | None:
    pack = index.with_suffix(".pack")
    if not pack.exists():
        return f"{pack.name} is missing"
    if pack.stat().st_size < _SHALLOWEST_PACK or index.stat().st_size < _SHALLOWEST_PACK:
        return f"{pack.name} is truncated"
    for size in _HASH_SIZES:
        # An index ends with the pack's checksum and then its own, each as long as the repository's hash.
        if _tail(index, 2 * size)[:size] == _tail(pack, size):
            return None
    return f"{pack.name} does not end with the checksum that its index names"


def _tail(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(-size, 2)
        return file.read(size)
