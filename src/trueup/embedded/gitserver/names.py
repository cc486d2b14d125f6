"""Repository names: what a URL may ask for, and the one folder that it means. Pure.

`sample`, `sample.git` and `team/sample` are names. Nothing else is: no `..`, no hidden folder, no encoded slash.
"""

from __future__ import annotations

import re
from pathlib import Path

_SEGMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_MOST_SEGMENTS = 4


def repository_name(text: str) -> str | None:
    """The name without slashes at its ends and without `.git`; None when it is not one."""
    segments = text.strip("/").split("/")
    segments[-1] = segments[-1].removesuffix(".git")
    if not 1 <= len(segments) <= _MOST_SEGMENTS or not all(_is_segment(segment) for segment in segments):
        return None
    return "/".join(segments)


def repository_path(root: Path, name: str) -> Path:
    """The bare repository's folder. `name` comes from `repository_name`; `.git` at its end keeps `a` and `a/b` apart."""
    assert repository_name(name) == name
    return root / f"{name}.git"


def _is_segment(segment: str) -> bool:
    return bool(_SEGMENT.match(segment)) and ".." not in segment and not segment.endswith((".git", ".lock", "."))
