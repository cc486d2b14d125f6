"""Every string that a person reads is in the catalogues, and the catalogues agree."""

from __future__ import annotations

import json
import re
import subprocess

from tests.server.pages.words import stray_words
from trueup.server.keeping.settingforms import KNOWN
from trueup.server.pages.files import STATIC

VIEWS = sorted(path for folder in (".", "ui", "pages", "acts", "admin") for path in (STATIC / folder).glob("*.js"))
NAMES = {"Trueup", "English", "ไทย"}
"""Words that are the same in every language."""


def _catalogues() -> tuple[dict[str, object], dict[str, object]]:
    script = "const {en} = await import('./en.js'); const {th} = await import('./th.js'); console.log(JSON.stringify([en, th]))"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=STATIC / "i18n", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    english, thai = json.loads(done.stdout)
    return english, thai


def _places(entry: object) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", json.dumps(entry)))


def test_no_view_has_words_of_its_own() -> None:
    stray = {
        path.name: words
        for path in VIEWS
        if (words := [word for word in stray_words(path.read_text()) if word not in NAMES])
    }
    assert stray == {}


def test_the_search_for_stray_words_finds_them() -> None:
    assert stray_words("html`<p title=\"Close it\">Hello ${name ? html`<b>there</b>` : ''}</p>`") == [
        "title='Close it'",
        "Hello",
        "there",
    ]
    assert stray_words('html`<p class="wide">${t("a.b")} <kbd>Esc</kbd> · <${Part} size="large" /></p>`') == []


def test_both_languages_have_the_same_entries_with_the_same_places() -> None:
    english, thai = _catalogues()
    assert english.keys() == thai.keys()
    assert {key for key in english if _places(english[key]) != _places(thai[key])} == set()


def test_thai_is_thai() -> None:
    _, thai = _catalogues()
    same = {"tree.group", "nav.sources.git"}
    latin = {
        key for key, value in thai.items() if not re.search("[\u0e00-\u0e7f]", json.dumps(value, ensure_ascii=False))
    }
    assert latin <= same


def test_every_entry_is_used() -> None:
    english, _ = _catalogues()
    sources = "\n".join(
        path.read_text() for path in STATIC.rglob("*.js") if path.parent.name != "i18n" or path.name == "i18n.js"
    )
    groups = {f"{group}." for group in re.findall(r"""word\("([\w.]+)",""", sources)} | {
        f"{group}." for group in re.findall(r"t\((?:/\*\* @type \{any\} \*/ \()?`([\w.-]+)\.\$\{", sources)
    }
    unused = {
        key
        for key in english
        if f'"{key}"' not in sources
        and f'"{key.removesuffix(".help")}"' not in sources  # of a form's field, beside its label
        and not any(key.startswith(group) for group in groups)
    }
    assert unused == set()


def test_every_setting_that_the_server_knows_has_its_words_here() -> None:
    english, _ = _catalogues()
    meanings = {f"setting.{key}": meaning for known in KNOWN.values() for key, meaning in known.items()}
    assert {key: value for key, value in english.items() if key.startswith("setting.")} == meanings
