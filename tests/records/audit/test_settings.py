"""The file of destinations: strict, and its secrets are elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.records.audit.kit import entry
from trueup.model.errors import InvalidInput
from trueup.records.audit.objectstore import ObjectStore
from trueup.records.audit.service import AuditService
from trueup.records.audit.settings import AuditSettings, make_destinations, read_settings
from trueup.records.audit.syslog import Syslog
from trueup.records.audit.webhook import Webhook

GOOD = """
retention: {{days: 30}}
destinations:
- name: siem
  syslog: {{address: "tcp://logs.example.com", format: cef}}
- name: hook
  webhook: {{url: "https://audit.example.com/in", secretFile: {secret}}}
- name: archive
  s3: {{endpoint: "minio.example.com:9000", bucket: audit, accessKeyFile: {secret}, secretKeyFile: {secret}}}
"""


def settings(folder: Path, text: str) -> AuditSettings:
    path = folder / "audit.yaml"
    path.write_text(text)
    return read_settings(path)


def test_each_kind_of_destination_is_made(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("canary\n")
    found = settings(tmp_path, GOOD.format(secret=secret))
    assert found.kept.days == 30
    made = make_destinations(found)
    assert [type(one) for one in made] == [Syslog, Webhook, ObjectStore]
    assert "canary" not in repr(found) + repr(made)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retention: {days: many}", r"Expected `float`, got `str` - at `\$.retention.days`"),
        ("retention: {days: 0}", "must be above 0"),
        ("destination: []", "unknown field `destination`"),
        ("destinations: [{name: ''}]", "needs a name of its own"),
        ("destinations: [{name: a}, {name: a}]", "needs a name of its own"),
        ("a: [", "while parsing"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        settings(tmp_path, text)


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("{name: a}", "exactly one of syslog, webhook and s3"),
        ("{name: a, syslog: {address: 'http://x'}}", "no address of a syslog receiver"),
        ("{name: a, syslog: {address: 'tls://x:99999'}}", "no address of a syslog receiver"),
        ("{name: a, syslog: {address: 'tls://x', caFile: /none}}", "authority of the audit destination 'a' cannot be read"),
        ("{name: a, webhook: {url: 'https://x', secretFile: /none}}", "secret of the audit destination 'a'"),
        ("{name: a, webhook: {url: 'https://x', secretFile: /dev/null}}", "is empty"),
    ],
)  # fmt: skip
def test_a_destination_that_cannot_work_is_refused_at_the_start(tmp_path: Path, destination: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_destinations(settings(tmp_path, f"destinations: [{destination}]"))


async def test_the_whole_of_a_process_begins_and_ends_together(tmp_path: Path) -> None:
    service = AuditService(f"sqlite:///{tmp_path}/trueup.db", tmp_path / "state")
    async with service.running():
        service.log.put(entry(0))
    assert service.log.written == 1
    names = sorted(path.name for path in (tmp_path / "state/audit").iterdir())
    assert names == ["chain", "checkpoints.jsonl", "journal.jsonl", "signing.key", "signing.pub"]
