"""Whether it is still the same cluster that answers."""

from __future__ import annotations

import pytest

from trueup.controllers.sites.remote import UNNAMED, check_same
from trueup.controllers.sites.site import ClusterReplaced


def test_another_uid_is_another_cluster() -> None:
    with pytest.raises(ClusterReplaced, match="another cluster answers as https://there"):
        check_same("https://there", "u1", b'{"metadata": {"name": "kube-system", "uid": "u2"}}')


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        ("u1", b'{"metadata": {"name": "kube-system", "uid": "u1"}}'),
        ("u1", b'{"metadata": {}}'),
        ("u1", b"not JSON"),
        (UNNAMED + "1234", b'{"metadata": {"uid": "u2"}}'),
    ],
)
def test_who_says_nothing_else_is_the_same(known: str, answer: bytes) -> None:
    check_same("https://there", known, answer)
