"""Every chain of a database judged, by the public keys and the exported checkpoints that lie in a process's own folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from trueup.model.errors import InvalidInput, Transient
from trueup.records.audit.chain import Sealed
from trueup.records.audit.checkpoints import Checkpoint, PublicKeys, decode_lines, read_public_keys
from trueup.records.audit.reading import AuditHistory
from trueup.records.audit.service import CHECKPOINTS, FOLDER
from trueup.records.audit.verifying import Verdict, verify


class TookTooLong(Transient):
    """There is more of it than can be judged while somebody waits."""

    reason = "TookTooLong"


class Evidence(Struct, frozen=True):
    """What is known outside of the database."""

    keys: PublicKeys
    exported: Sequence[Checkpoint]


def evidence_of(*states: Path) -> Evidence:
    """That of the processes with these state folders. Raises InvalidInput."""
    folders = [state / FOLDER for state in states]
    exported = [folder / name for folder in folders for name in (CHECKPOINTS + ".1", CHECKPOINTS)]
    keys = [path for folder in folders for path in sorted(folder.glob("*.pub"))]
    return Evidence(read_public_keys(keys), read_checkpoints(exported, missing_ok=True))


def read_checkpoints(paths: Iterable[Path], *, missing_ok: bool = False) -> list[Checkpoint]:
    """Raises InvalidInput."""
    found: list[Checkpoint] = []
    for path in paths:
        try:
            found += decode_lines(path.read_bytes(), str(path))
        except FileNotFoundError as error:
            if not missing_ok:
                raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    return found


def prove(
    history: AuditHistory,
    evidence: Evidence,
    *,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
) -> list[Verdict]:
    """Of every chain that the database or a checkpoint knows. Raises TookTooLong, HistoryUnavailable."""
    deadline = clock() + seconds

    def in_time(entries: Iterator[Sealed]) -> Iterator[Sealed]:
        for number, entry in enumerate(entries):
            if number % 500 == 0 and clock() > deadline:
                raise TookTooLong(
                    "the audit log is too long to be verified while a call waits",
                    hint="run `trueup audit verify` where the database can be reached",
                )
            yield entry

    return [
        verify(
            chain,
            in_time(history.walk_chain(chain)),
            history.checkpoints(chain),
            [one for one in evidence.exported if one.chain == chain],
            evidence.keys,
        )
        for chain in sorted({*history.chains(), *(one.chain for one in evidence.exported)})
    ]
