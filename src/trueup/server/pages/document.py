"""The one HTML document of the pages, and the policy under which a browser runs it.

Nothing inline but the import map, which the policy names by its hash (a browser takes no import map from a file). Styles
come from files; the modules set single properties through the DOM, which `style-src` allows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape

from trueup.server.pages.files import PageFile, PageFiles, imported, page_file

ENTRY = "main.js"
BARE = {
    "preact": "vendor/preact.mjs",
    "preact/hooks": "vendor/preact-hooks.mjs",
    "htm": "vendor/htm.mjs",
    "@preact/signals": "vendor/signals.mjs",
    "@preact/signals-core": "vendor/signals-core.mjs",
    "js-yaml": "vendor/yaml.mjs",
}
"""Names that modules import, and the files that they mean."""


_PAGE = re.compile(r"""pattern: "([^"]+)", load: \(\) => import\("\./([^"]+)"\)""")


def pages_of(files: PageFiles) -> dict[str, str]:
    """Patterns of addresses (`/apps/:kind`) and the modules that draw them, as the entry's own table has them."""
    return dict(_PAGE.findall(files.files[ENTRY].content.decode()))


def module_for(pages: dict[str, str], path: str) -> str | None:
    """The module of an address below the base; None: no page has it."""
    given = ("/" + path.strip("/")).split("/")
    for pattern, module in pages.items():
        wanted = pattern.split("/")
        if len(wanted) == len(given) and all(
            mine.startswith(":") or mine == theirs for mine, theirs in zip(wanted, given, strict=True)
        ):
            return module
    return None


def assets_of(files: PageFiles, base: str) -> str:
    return f"{base}/assets/{files.digest}"


def import_map(files: PageFiles, base: str) -> str:
    root = assets_of(files, base)
    return json.dumps({"imports": {name: f"{root}/{path}" for name, path in BARE.items()}}, separators=(",", ":"))


def document(files: PageFiles, base: str, module: str | None = None) -> PageFile:
    """`index.html` with the addresses of this release in it. `base` is the path below which all is served, mostly empty.

    `module` draws the page that is asked for: with the modules that it imports it is named too, so that a browser asks for
    all of them at once and not for one after the other has told of it.
    """
    root = assets_of(files, base)
    needed = dict.fromkeys((*imported(files, ENTRY, BARE), *(imported(files, module, BARE) if module else ())))
    preloads = "\n".join(f'<link rel="modulepreload" href="{root}/{escape(path)}">' for path in needed)
    text = files.files["index.html"].content.decode()
    for mark, value in {
        "%ASSETS%": root,
        "%BASE%": escape(base, quote=True),
        "%IMPORTMAP%": import_map(files, base),
        "<!--PRELOADS-->": preloads,
    }.items():
        text = text.replace(mark, value)
    return page_file(text.encode(), files.files["index.html"].type)


def security_headers(files: PageFiles, base: str) -> dict[str, str]:
    """Of the document. No `unsafe-*`, no other host, no frame, no string that becomes a script (Trusted Types)."""
    digest = base64.b64encode(hashlib.sha256(import_map(files, base).encode()).digest()).decode()
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' 'sha256-{digest}'",
        "style-src": "'self'",
        "img-src": "'self'",
        "font-src": "'none'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "object-src": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "same-origin",
        **FILE_HEADERS,
    }


FILE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
"""Of every file."""
