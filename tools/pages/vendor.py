"""Copies the pinned libraries into the pages: `make pages-vendor` after a pin moved. `python -m tools.pages.vendor`.

Whole files are copied unchanged, so that anybody can compare them with the npm tarballs (a test does). Only the icons are
written anew: of the set's 1,700 modules the pages need one small one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.pages.install import HERE, node_modules

STATIC = HERE.parent.parent / "src" / "trueup" / "server" / "pages" / "static"
VENDOR = STATIC / "vendor"
COPIES = {
    "preact.mjs": "preact/dist/preact.mjs",
    "preact-hooks.mjs": "preact/hooks/dist/hooks.mjs",
    "htm.mjs": "htm/dist/htm.mjs",
    "signals-core.mjs": "@preact/signals-core/dist/signals-core.mjs",
    "signals.mjs": "@preact/signals/dist/signals.mjs",
    "yaml.mjs": "js-yaml/dist/browser/js-yaml.esm.min.mjs",
    "licences/preact.txt": "preact/LICENSE",
    "licences/htm.txt": "htm/LICENSE",
    "licences/signals.txt": "@preact/signals/LICENSE",
    "licences/signals-core.txt": "@preact/signals-core/LICENSE",
    "licences/js-yaml.txt": "js-yaml/LICENSE",
    "licences/lucide.txt": "lucide/LICENSE",
}
"""Vendored file -> file of the package."""
_PACKAGES = ("preact", "htm", "@preact/signals", "@preact/signals-core", "js-yaml", "lucide")
_ELEMENT = re.compile(r'\[\s*"(\w+)",\s*\{([^}]*)\}\s*\]')
_ATTRIBUTE = re.compile(r'"?([\w-]+)"?:\s*"([^"]*)"')


def wanted() -> dict[str, bytes]:
    """Path below the vendor folder -> what belongs there."""
    modules = node_modules()
    files = {name: (modules / source).read_bytes() for name, source in COPIES.items()}
    files["icons.mjs"] = _icons(modules / "lucide" / "dist" / "esm" / "icons").encode()
    files["README.md"] = _readme().encode()
    return files


def _icons(folder: Path) -> str:
    names = (HERE / "icons.txt").read_text().split()
    lines = [
        "// Icons of Lucide (ISC, see licences/lucide.txt), written by tools/pages/vendor.py from the names in tools/pages/icons.txt.",
        "/** @type {Record<string, Array<[string, Record<string, string>]>>} */",
        "export const icons = {",
    ]
    for name in sorted(set(names)):
        text = (folder / f"{name}.mjs").read_text()
        if alias := re.search(r'export \{ default \} from "\./([\w-]+)\.mjs"', text):
            text = (folder / f"{alias[1]}.mjs").read_text()
        elements = [[tag, dict(_ATTRIBUTE.findall(attributes))] for tag, attributes in _ELEMENT.findall(text)]
        if not elements:
            raise ValueError(f"{folder}/{name}.mjs: no shapes found; has the set's format changed?")
        lines.append(f"  {json.dumps(name)}: {json.dumps(elements, separators=(',', ':'))},")
    return "\n".join([*lines, "};", ""])


def _readme() -> str:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    rows = [
        f"| {name} | {(entry := packages[f'node_modules/{name}'])['version']} | {entry.get('license', '')} | `{entry['integrity']}` |"
        for name in _PACKAGES
    ]
    return "\n".join(
        [
            "# Vendored libraries",
            "",
            "Unchanged files of these npm packages (`icons.mjs`: the icons that the pages use, taken from the set). Written by",
            "`make pages-vendor`; a test compares them with the tarballs. Licence texts are in `licences/`.",
            "",
            "| Package | Version | Licence | Tarball |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def write() -> None:
    files = wanted()
    for path in [path for path in VENDOR.rglob("*") if path.is_file()]:
        if path.relative_to(VENDOR).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = VENDOR / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    write()
