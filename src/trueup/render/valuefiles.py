"""Value files that are named by a pattern: `env/*.yaml`, `**/values-prod.yaml`. Listings are looks like any other.

`*` stays inside a name, `**` takes any directories, `?` and `[a-z]` one character, `{a,b}` either. Matches come in the order of
their paths; a file that several patterns match is taken where the first of them stands, as in Argo CD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from trueup.model.errors import BuildFailed
from trueup.model.linear import Linear, PatternError
from trueup.model.manifest import Origin
from trueup.model.rendering import HelmValueFile
from trueup.model.snapshot import EntryType
from trueup.render.inputs import Recorder, join
from trueup.render.limits import RenderLimits

_SPECIAL = re.compile(r"[*?\[{]")


def expanded(recorder: Recorder, files: Iterable[HelmValueFile], limits: RenderLimits) -> tuple[HelmValueFile, ...]:
    """Each file by its path. Raises BuildFailed where a pattern finds nothing and is not optional."""
    found: dict[str, HelmValueFile] = {}
    for file in files:
        if not file.pattern or not _SPECIAL.search(file.path):
            # A plain name may be said twice: where it stands last decides which values win.
            found.pop(file.path, None)
            found[file.path] = HelmValueFile(file.path, file.optional)
            continue
        matches = sorted(matching(recorder, file.path, limits))
        if not matches and not file.optional:
            raise BuildFailed(
                f"no value file matches {file.path}",
                origin=Origin(file.path),
                hint="mend the pattern, or set ignoreMissingValueFiles: true",
            )
        for path in matches:
            found.setdefault(path, HelmValueFile(path))
    return tuple(found.values())


def matching(recorder: Recorder, pattern: str, limits: RenderLimits) -> Iterator[str]:
    """The files that a pattern names, in no order. Where it begins may be absent."""
    base: list[str] = []
    parts = pattern.split("/")
    while len(parts) > 1 and not _SPECIAL.search(parts[0]):
        base.append(parts.pop(0))
    root = "/".join(base)
    deep = "**" in parts
    wanted = _compiled("/".join(parts))
    pending, looked = [(root, "")], 0
    while pending:
        directory, below = pending.pop()
        if not recorder.look(directory).is_directory:
            continue
        for entry in recorder.listing(directory):
            looked += 1
            if looked > limits.files:
                raise BuildFailed(f"{pattern} looks through more than {limits.files} files", origin=Origin(root))
            here, name = join(directory, entry.name), join(below, entry.name)
            if entry.type is EntryType.DIRECTORY:
                if deep or name.count("/") + 1 < len(parts):
                    pending.append((here, name))
            elif wanted.fullmatch(name) and recorder.look(here).is_file:
                yield here


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Linear:
    """Raises BuildFailed."""
    out: list[str] = []
    at = depth = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if pattern.startswith("**/", at - 1) and (at == 1 or pattern[at - 2] == "/"):
            out.append("(?:[^/]+/)*")
            at += 2
        elif pattern.startswith("**", at - 1):
            out.append(".*")
            at += 1
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", at + 1)) > 0:
            inside = pattern[at:end]
            negated = inside[:1] in ("!", "^")
            body = re.escape(inside[1:] if negated else inside).replace(r"\-", "-")
            out.append(f"[^/{body}]" if negated else f"[{_without_slash(body)}]")
            at = end + 1
        elif char == "{" and "}" in pattern[at:]:
            depth += 1
            out.append("(?:")
        elif char == "," and depth:
            out.append("|")
        elif char == "}" and depth:
            depth -= 1
            out.append(")")
        elif char == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    try:
        return Linear("".join(out))
    except PatternError as error:
        raise BuildFailed(f"the pattern {pattern} is malformed", hint="write env/*.yaml or {a,b}.yaml") from error


def _without_slash(body: str) -> str:
    """The inside of a class; a range over the slash is cut in two, for a class never matches one."""
    return re.sub(r"(\\?[^\\])-(\\?[^\\])", _cut, body)


def _cut(found: re.Match[str]) -> str:
    first, last = found[1][-1], found[2][-1]
    return f"{found[1]}-.0-{found[2]}" if first < "/" < last else found[0]
