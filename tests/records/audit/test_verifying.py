"""`verify` names the first place that is not as it was written, whatever somebody did who has the database and no key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.records.audit.kit import Kept, chained, entry, tamper, verdicts
from trueup.model.errors import InvalidInput
from trueup.records.audit.chain import Head, Sealed, hash_of, head_of
from trueup.records.audit.checkpoints import (
    Checkpoint,
    Mark,
    Signer,
    decode_lines,
    encode,
    is_signed,
    load_signer,
    public_pem,
    read_public_keys,
)
from trueup.records.audit.verifying import Fault, Verdict, verify


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return load_signer(tmp_path_factory.mktemp("key") / "signing.key")


def judged(
    signer: Signer, entries: Sequence[Sealed], inside: Sequence[Checkpoint] = (), outside: Sequence[Checkpoint] = ()
) -> Verdict:
    return verify("one", entries, inside, outside, {signer.name: signer.public})


def marks(signer: Signer, entries: Sequence[Sealed], *sequences: int) -> list[Checkpoint]:
    return [signer.sign("one", head_of(entries[number - 1]), number) for number in sequences]


def rechained(entries: Sequence[Sealed]) -> list[Sealed]:
    """As somebody makes it who knows the format: every number, every link and every hash right again."""
    head, found = Head(), []
    for one in entries:
        open_ = replace(one, sequence=head.sequence + 1, previous=head.hash)
        found.append(replace(open_, hash=hash_of(open_)))
        head = head_of(found[-1])
    return found


def renumbered(entries: Sequence[Sealed]) -> list[Sealed]:
    return [replace(one, sequence=number) for number, one in enumerate(entries, 1)]


def stranger(after: Sealed) -> Sealed:
    open_ = replace(after, sequence=after.sequence + 1, previous=after.hash, message="put in", hash=b"")
    return replace(open_, hash=hash_of(open_))


def altered(entries: list[Sealed]) -> list[Sealed]:
    return [*entries[:4], replace(entries[4], actor="somebody else"), *entries[5:]]


def altered_and_hashed(entries: list[Sealed]) -> list[Sealed]:
    open_ = replace(entries[4], actor="somebody else")
    return [*entries[:4], replace(open_, hash=hash_of(open_)), *entries[5:]]


def removed(entries: list[Sealed]) -> list[Sealed]:
    return [*entries[:4], *entries[5:]]


def removed_and_renumbered(entries: list[Sealed]) -> list[Sealed]:
    return renumbered(removed(entries))


def inserted(entries: list[Sealed]) -> list[Sealed]:
    return renumbered([*entries[:4], stranger(entries[3]), *entries[4:]])


def swapped(entries: list[Sealed]) -> list[Sealed]:
    return renumbered([*entries[:4], entries[5], entries[4], *entries[6:]])


def moved_far(entries: list[Sealed]) -> list[Sealed]:
    return renumbered([*entries[:4], entries[8], *entries[4:8], *entries[9:]])


@pytest.mark.parametrize(
    ("attack", "fault"),
    [
        (altered, Fault.ALTERED),
        (altered_and_hashed, Fault.ALTERED),
        (removed, Fault.REMOVED),
        (removed_and_renumbered, Fault.REMOVED),
        (inserted, Fault.INSERTED),
        (swapped, Fault.REORDERED),
        (moved_far, Fault.REORDERED),
    ],
)
def test_the_first_broken_entry_is_named_with_what_was_done_to_it(
    signer: Signer, attack: Callable[[list[Sealed]], list[Sealed]], fault: Fault
) -> None:
    broken = judged(signer, attack(chained(10))).broken
    assert broken is not None
    assert (broken.sequence, broken.fault) == (5, fault)


def test_whoever_writes_all_hashes_anew_is_found_by_the_next_checkpoint(signer: Signer) -> None:
    entries = chained(10)
    signed = marks(signer, entries, 3, 8)
    broken = judged(signer, rechained(altered(entries)), inside=signed).broken
    assert broken is not None
    assert str(broken) == "one:4: rewritten: entries 4 to 8 are not those that were signed"


def test_an_end_that_was_cut_off_is_found_by_an_exported_checkpoint(signer: Signer) -> None:
    entries = chained(10)
    assert judged(signer, entries[:7]).broken is None
    broken = judged(signer, entries[:7], outside=marks(signer, entries, 5, 10)).broken
    assert broken is not None
    assert (broken.sequence, broken.fault) == (8, Fault.TRUNCATED)


def test_a_chain_that_is_gone_is_missed(signer: Signer) -> None:
    broken = judged(signer, [], outside=marks(signer, chained(10), 10)).broken
    assert broken is not None
    assert (broken.sequence, broken.fault) == (1, Fault.TRUNCATED)


def test_a_beginning_is_only_missing_rightly_where_retention_signed_its_cut(signer: Signer) -> None:
    entries = chained(10)
    cut = signer.sign("one", head_of(entries[3]), 1, Mark.CUT)
    assert judged(signer, entries[4:], inside=[cut]).broken is None
    reached = replace(cut, mark=Mark.REACHED)  # whoever has no key turns one into the other
    for forged in (reached, replace(cut, sequence=3), replace(cut, chain="two"), replace(cut, signature="00" * 64)):
        verdict = judged(signer, entries[4:], inside=[forged])
        assert verdict.broken is not None
        assert (verdict.broken.sequence, verdict.broken.fault) == (1, Fault.REMOVED)


def test_entries_that_retention_did_not_come_to_delete_are_not_in_the_way(signer: Signer) -> None:
    entries = chained(10)
    cut = signer.sign("one", head_of(entries[3]), 1, Mark.CUT)
    verdict = judged(signer, entries[2:], inside=[cut])
    assert (verdict.broken, verdict.first, verdict.entries) == (None, 5, 6)


def test_a_checkpoint_that_nobody_known_signed_is_named(signer: Signer, tmp_path: Path) -> None:
    entries, other = chained(10), load_signer(tmp_path / "other.key")
    broken = judged(signer, entries, inside=marks(other, entries, 10)).broken
    assert broken is not None
    assert (broken.sequence, broken.fault) == (10, Fault.UNSIGNED)
    assert other.name in broken.message


def test_an_entry_of_another_chain_does_not_fit_in(signer: Signer) -> None:
    one, two = chained(10), chained(10, chain="two")
    mixed = [*one[:4], replace(two[4], chain="one"), *one[5:]]
    broken = judged(signer, mixed).broken
    assert broken is not None
    assert broken.sequence == 5


@given(
    count=st.integers(2, 12),
    order=st.randoms(use_true_random=False),
    drop=st.integers(0, 3),
    field=st.sampled_from(["actor", "message", "after", "at_us", "result", "previous", "hash"]),
    renumber=st.booleans(),
)
def test_nothing_that_is_done_without_the_key_goes_unseen(
    signer: Signer, count: int, order: object, drop: int, field: str, renumber: bool
) -> None:
    entries = chained(count)
    signed = marks(signer, entries, count)
    changed = list(entries)
    order.shuffle(changed)  # type: ignore[attr-defined]
    changed = changed[: max(count - drop, 0)]
    if drop == 0 and changed == entries:
        value = getattr(changed[0], field)
        other = value + 1 if isinstance(value, int) else value + ("x" if isinstance(value, str) else b"x")
        changed[0] = replace(changed[0], **{field: other})
    if renumber:
        changed = rechained(changed) if drop else renumbered(changed)
    changed.sort(key=lambda one: one.sequence)
    verdict = judged(signer, changed, outside=signed)
    assert (verdict.broken is None) == (changed == entries)


def test_what_somebody_does_in_the_database_is_found_there(url: str, tmp_path: Path) -> None:
    with (kept := Kept(url, tmp_path / "state")) as log:
        for number in range(10):
            log.put(entry(number))
        assert log.flush()
    assert [verdict.broken for verdict in verdicts(url, kept)] == [None]
    tamper(url, "UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 7")
    (verdict,) = verdicts(url, kept)
    assert verdict.broken is not None
    assert (verdict.broken.sequence, verdict.broken.fault) == (7, Fault.ALTERED)


def test_a_checkpoint_is_read_as_it_was_exported_and_a_torn_last_line_is_left(signer: Signer) -> None:
    one, two = marks(signer, chained(2), 1, 2)
    text = encode(one) + encode(two)
    assert decode_lines(text, "x") == [one, two]
    assert decode_lines(text[:-9], "x") == [one]
    assert all(is_signed(found, {signer.name: signer.public}) for found in decode_lines(text, "x"))
    with pytest.raises(InvalidInput, match="x:1 is no checkpoint"):
        decode_lines(b"{}\n" + encode(two), "x")


def test_keys_are_read_from_public_and_private_files_and_nothing_else(signer: Signer, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    mine = load_signer(path)
    assert load_signer(path).name == mine.name
    public = tmp_path / "a.pub"
    public.write_text(public_pem(mine.public))
    assert set(read_public_keys([public])) == set(read_public_keys([path])) == {mine.name}
    public.write_text("no key")
    with pytest.raises(InvalidInput, match="it is no key in PEM"):
        read_public_keys([public])
    path.write_text("no key")
    with pytest.raises(InvalidInput, match="cannot be read: it is no private key"):
        load_signer(path)
    assert "PRIVATE" not in repr(signer)
