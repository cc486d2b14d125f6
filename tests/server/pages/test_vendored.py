"""The vendored libraries are the npm packages' own files, at the versions and hashes of the lock."""

from __future__ import annotations

import json

from tools.pages.install import HERE
from tools.pages.vendor import VENDOR, wanted


def test_each_vendored_file_equals_the_one_in_the_npm_tarball() -> None:
    files = wanted()
    found = {path.relative_to(VENDOR).as_posix(): path.read_bytes() for path in VENDOR.rglob("*") if path.is_file()}
    assert sorted(found) == sorted(files), "run make pages-vendor"
    for name, content in files.items():
        assert found[name] == content, f"{name} differs: run make pages-vendor"


def test_every_package_is_pinned_to_one_version_and_a_hash() -> None:
    package = json.loads((HERE / "package.json").read_text())
    for name, version in {**package["dependencies"], **package["devDependencies"]}.items():
        assert version[0].isdigit(), f"{name}: {version} is a range"
    for name, entry in json.loads((HERE / "package-lock.json").read_text())["packages"].items():
        if name:
            assert entry["integrity"].startswith("sha512-"), name


def test_each_vendored_package_keeps_the_text_of_its_licence() -> None:
    texts = {path.stem for path in (VENDOR / "licences").iterdir() if len(path.read_text()) > 500}
    assert texts == {"preact", "htm", "signals", "signals-core", "js-yaml", "lucide"}
