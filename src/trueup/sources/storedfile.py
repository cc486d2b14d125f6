"""One file on its way into the content store, and which paths a stored file may have.

Pure. Putting files away is the content store's; taking them out of archives is `archive`'s.
"""

from __future__ import annotations

from msgspec import Struct

_LONGEST_PATH = 4096
_LONGEST_NAME = 255


class StoredFile(Struct, frozen=True):
    """`path` is relative with `/`. With `link` it is a symbolic link to that target, and `data` is empty."""

    path: str
    data: bytes = b""
    executable: bool = False
    link: str | None = None


def path_fault(path: str) -> str:
    """Why a path cannot be stored, for a message ("is absolute"); empty for a good one: relative, clean, inside its tree."""
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not UTF-8"
    names = path.split("/")
    if not path:
        return "is empty"
    if size > _LONGEST_PATH or any(len(name.encode()) > _LONGEST_NAME for name in names):
        return "is too long"
    if path.startswith("/"):
        return "is absolute"
    if ".." in names:
        return "leads out of its tree with '..'"
    if "." in names or "" in names:
        return "is not clean: it has an empty or '.' part"
    if "\\" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        return "has a backslash or a control character"
    if any(is_git_directory(name) for name in names):
        return "is inside a .git directory"
    return ""


def is_git_directory(name: str) -> bool:
    """`.git` in the spellings that file systems take for it: any case, and the short name of Windows (git's fsck, hasDotgit)."""
    return name.rstrip(". ").lower() in (".git", "git~1")
