"""What the API shows of an object has no password in it, and what it shows cannot be written back over the real one."""

from __future__ import annotations

from trueup.server.live.masking import refuse_masks, shown


def test_a_password_in_a_url_is_not_shown_and_its_mask_is_not_taken_back() -> None:
    obj = {"kind": "GitRepository", "spec": {"url": "https://robot:canary@git.example.com/a.git", "args": ["x@y"]}}
    seen = shown(obj)
    assert seen["spec"] == {"url": "https://***@git.example.com/a.git", "args": ["x@y"]}
    assert refuse_masks(seen)
    assert not refuse_masks(obj)
