"""What the documentation refers to exists: files, headings, commands, options, make targets, examples."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperArgument

from tests.docs.pages import ROOT, Fence, anchors, fences, links, name_of, pages, prose
from trueup.cli.main import COMMANDS, app
from trueup.dialects.registry import all_dialects, dialect_for, is_source
from trueup.model.manifest import ref_of

ALL = pages()
SHELL = [fence for page in ALL for fence in fences(page) if fence.language in ("sh", "console")]
YAML = [fence for page in ALL for fence in fences(page) if fence.language == "yaml"]
MACHINE = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/\w+")


def ident(fence: Fence) -> str:
    return f"{name_of(fence.page)}:{fence.line}"


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_every_fragment_to_a_heading(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or not place.is_relative_to(ROOT):
            broken.append(f"{link}: there is no such file")
        elif fragment and place.suffix == ".md" and fragment not in anchors(place):
            broken.append(f"{link}: {name_of(place)} has no such heading; it has {sorted(anchors(place))}")
    assert not broken


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_path_of_the_repository_that_is_named_exists(page: Path) -> None:
    tops = "|".join(re.escape(place.name) for place in ROOT.iterdir() if place.is_dir() and place.name[0] != ".")
    named = re.findall(rf"`((?:{tops})/[\w./-]+)`", prose(page))
    # The sample's pages speak of the sample's own tree.
    missing = [path for path in named if not any((base / path).exists() for base in (ROOT, ROOT / "examples/sample"))]
    assert not missing


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_no_page_names_a_path_of_one_machine(page: Path) -> None:
    assert not MACHINE.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("fence", SHELL, ids=ident)
def test_every_trueup_command_and_option_exists(fence: Fence) -> None:
    assert not [problem for line in _commands(fence.text) for problem in _problems(line)]


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_every_trueup_command_in_the_text_exists(page: Path) -> None:
    said = re.findall(r"`trueup ([a-z][a-z-]*)", prose(page))
    assert not [command for command in said if command not in COMMANDS]


@pytest.mark.parametrize("fence", SHELL, ids=ident)
def test_every_make_target_exists(fence: Fence) -> None:
    wanted = {
        word for line in _lines(fence.text) if (found := re.match(r"make ([a-z-]+)", line)) for word in [found[1]]
    }
    assert wanted <= _targets()


@pytest.mark.parametrize("name", ["README.md", "README.th.md"])
def test_the_readme_has_the_two_commands(name: str) -> None:
    shell = "\n".join(fence.text for fence in fences(ROOT / name) if fence.language == "sh")
    for target in ("up", "test"):
        assert re.search(rf"^make {target}\b", shell, re.MULTILINE)
        assert target in _targets()


@pytest.mark.parametrize("fence", YAML, ids=ident)
def test_every_resource_in_the_docs_is_one_that_trueup_carries_out(fence: Fence) -> None:
    """Reading raises InvalidInput or NotBuiltYet."""
    dialects = all_dialects()
    for document in yaml.safe_load_all(fence.text):
        if not isinstance(document, dict) or "apiVersion" not in document:
            continue
        kind = ref_of(document).group_kind
        dialect = dialect_for(kind, dialects)
        if dialect is None:
            continue
        source = is_source(dialect, kind)
        (dialect.read_source if source else dialect.read_app)(document)


def test_the_two_languages_of_a_page_have_the_same_commands() -> None:
    pairs = [("README.md", "README.th.md"), ("docs/tutorial.md", "docs/th/tutorial.md")]
    for english, thai in pairs:
        here, there = (
            [line for fence in fences(ROOT / name) if fence.language == "sh" for line in _lines(fence.text)]
            for name in (english, thai)
        )
        assert here == there


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def _lines(text: str) -> list[str]:
    """Command lines, without prompts, comments and line continuations."""
    joined = text.replace("\\\n", " ")
    stripped = (re.sub(r"\s+#\s.*$", "", line).strip().removeprefix("$ ") for line in joined.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _commands(text: str) -> list[list[str]]:
    """Every call of trueup, as words after its name."""
    found = []
    for line in _lines(text):
        for part in re.split(r"&&|\|\||\||;", line):
            try:
                words = shlex.split(part.partition(" > ")[0])
            except ValueError:
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0] == "trueup":
                found.append(words[1:])
    return found


def _problems(words: list[str]) -> list[str]:
    """What is wrong with one call: a command or an option that there is not. What follows `--exec` is another program."""
    shown = "trueup " + " ".join(words)
    command = typer.main.get_command(app)
    context = typer.Context(command)
    rest = words[: words.index("--exec")] if "--exec" in words else list(words)
    while hasattr(command, "get_command") and rest:
        if rest[0].startswith("-"):
            break
        inner = command.get_command(context, rest[0]) if rest[0] in command.list_commands(context) else None
        if inner is None:
            return [f"{shown}: there is no command {rest[0]!r}"]
        command, rest = inner, rest[1:]
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-zA-Z]", word)]
    found = [f"{shown}: there is no option {option}" for option in options if option not in known]
    required = [each for each in command.get_params(context) if isinstance(each, TyperArgument) and each.required]
    if len(rest) < len(required):
        found.append(f"{shown}: it needs {', '.join(each.human_readable_name for each in required)}")
    return found
