"""The settings file that the guide to the audit log shows is one that the program reads."""

from __future__ import annotations

import re
from pathlib import Path

from trueup.records.audit.settings import read_settings

GUIDE = Path(__file__).parents[2] / "docs/how-to/audit.md"


def test_the_settings_of_the_guide_are_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "audit.yaml").write_text(text)
    assert [one.name for one in read_settings(tmp_path / "audit.yaml").destinations] == ["siem", "hook", "archive"]
