"""The colours of the design: each pair that the pages use can be read, in both themes (WCAG 2.2 AA)."""

from __future__ import annotations

import re

import pytest

from trueup.server.pages.files import STATIC

TEXT = 4.5
GRAPHICS = 3.0
TONES = ("good", "busy", "warn", "bad", "idle", "none")
GROUNDS = ("canvas", "surface", "sunken", "hover", "selected")
PAIRS = [
    *((text, ground, TEXT) for text in ("text", "text-2", "accent") for ground in GROUNDS),
    *(("text-3", ground, TEXT) for ground in ("canvas", "surface", "sunken", "hover")),
    *((tone, ground, TEXT) for tone in TONES for ground in (*GROUNDS, f"{tone}-tint")),
    *(("text", f"{tone}-tint", TEXT) for tone in TONES),
    *((f"{tone}-solid", "surface", GRAPHICS) for tone in TONES),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    ("surface", "bad", TEXT),
    *(
        (code, ground, TEXT)
        for code in ("code-key", "code-string", "code-number", "code-comment")
        for ground in ("surface", "added-tint", "removed-tint")
    ),
    *(("text", ground, TEXT) for ground in ("added-tint", "removed-tint", "added-mark", "removed-mark")),
    ("added", "added-tint", TEXT),
    ("removed", "removed-tint", TEXT),
    ("text-3", "added-tint", TEXT),
    ("text-3", "removed-tint", TEXT),
    ("focus", "surface", GRAPHICS),
    ("focus", "canvas", GRAPHICS),
    ("control-border", "surface", GRAPHICS),
]


def _tokens(theme: str) -> dict[str, str]:
    text = (STATIC / "css" / "tokens.css").read_text()
    block = re.search(rf'\[data-theme="{theme}"\] \{{(.*?)\n\}}', text, re.DOTALL)
    assert block is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


def _luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_pair_of_colours_that_the_pages_use_can_be_read(theme: str) -> None:
    tokens = _tokens(theme)
    poor = {
        f"{front} on {back}": round(found, 2)
        for front, back, least in PAIRS
        if (found := contrast(tokens[front], tokens[back])) < least
    }
    assert poor == {}


def test_both_themes_have_the_same_tokens() -> None:
    assert _tokens("light").keys() == _tokens("dark").keys()


def test_no_style_sheet_but_the_tokens_names_a_colour() -> None:
    for path in (STATIC / "css").glob("*.css"):
        if path.name != "tokens.css":
            text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
            assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgba?\(|hsla?\(", text) == [], path.name


def test_every_token_that_is_used_exists() -> None:
    known = set(re.findall(r"--([\w-]+):", (STATIC / "css" / "tokens.css").read_text())) | {
        "tone",
        "tone-tint",
        "tone-solid",
        "columns",
        "columns-some",
        "columns-few",
    }
    for path in STATIC.rglob("*"):
        if path.suffix in (".css", ".js") and "vendor" not in path.parts:
            used = set(re.findall(r"var\(--([\w-]+)\)", path.read_text()))
            assert used <= known, f"{path.name}: {used - known}"
