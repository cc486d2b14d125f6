"""Puts the engines into the wheel: their sources always, ready binaries when TRUEUP_BUILD_ENGINES=1 (then the wheel is
for one platform). An editable install needs neither: it finds the sources at the root of the checkout."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EnginesHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What building the engines needs beside Go; nothing otherwise."""
        return ["msgspec", "platformdirs"] if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        for folder in sorted(path for path in (root / "engines").iterdir() if path.is_dir()):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix in {".go", ".mod", ".sum"} and not path.name.endswith("_test.go"):
                    target = f"trueup/render/engine/source/{path.relative_to(root / 'engines')}"
                    build_data["force_include"][str(path)] = target
        build_data["force_include"][str(root / "engines" / "PROTOCOL.md")] = "trueup/render/engine/source/PROTOCOL.md"
        if _wanted():
            builder = _builder(root)
            for name in builder.ENGINES:
                binary = builder.engine_binary(name, progress=lambda line: print(line, file=sys.stderr))
                build_data["force_include"][str(binary)] = f"trueup/render/engine/bin/{name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _wanted() -> bool:
    return os.environ.get("TRUEUP_BUILD_ENGINES") == "1"


def _builder(root: Path) -> Any:
    """The package's own module for building engines, from the tree that is being built."""
    sys.path.insert(0, str(root / "src"))
    spec = importlib.util.spec_from_file_location(
        "trueup_engine_build", root / "src" / "trueup" / "render" / "engine" / "build.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
