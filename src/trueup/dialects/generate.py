"""Writes `deploy/crds/*.yaml` from the structs: `python -m trueup.dialects.generate [DIRECTORY]`."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from trueup.dialects.registry import crds
from trueup.model.manifest import Manifest, name_of

HEADER = (
    "# Written by `python -m trueup.dialects.generate`; change the structs in src/trueup/dialects, not this file.\n"
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Versions share one schema; kubectl and people read it better written out."""
        return True


def crd_files() -> dict[str, str]:
    """File name -> text, one CRD each."""
    return {f"{name_of(crd)}.yaml": HEADER + to_yaml(crd) for crd in crds()}


def to_yaml(manifest: Manifest) -> str:
    text: str = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text


def main(arguments: list[str]) -> None:
    directory = Path(arguments[0]) if arguments else Path("deploy/crds")
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in crd_files().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
