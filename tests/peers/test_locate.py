"""Where a peer's program is taken from."""

from pathlib import Path

import pytest

from tests.peers.locate import find_program, from_assets, peer_of, same_minor


def program(folder: Path, name: str, says: str = "") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("printed", "pinned", "same"),
    [
        ("Kubernetes v1.37.0\n", "v1.37.2", True),
        ("Kubernetes v1.32.4\n", "v1.37.2", False),
        ("etcd Version: 3.7.1\nGit SHA: abc1.2.3\n", "v3.7.3", True),
        ("etcd Version: 3.5.21\n", "v3.7.3", False),
        ("command not found", "v3.7.3", False),
    ],
)
def test_a_program_on_path_counts_only_in_the_pinned_minor_release(printed: str, pinned: str, same: bool) -> None:
    assert same_minor(printed, pinned) is same


def test_kubebuilder_assets_come_first_and_only_for_what_they_hold(tmp_path: Path) -> None:
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path)}
    etcd = program(tmp_path, "etcd")
    assert from_assets("etcd", environ) == etcd
    assert from_assets("kube-controller-manager", environ) is None
    assert from_assets("etcd", {}) is None


def test_etcd_on_path_is_used_when_it_is_the_pinned_minor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = program(tmp_path, "etcd", "etcd Version: 3.7.0")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("etcd") == etcd


@pytest.mark.parametrize(("name", "says"), [("kubectl", "v1.37.2"), ("kube-apiserver", "Kubernetes v1.30.1")])
def test_kubectl_on_path_and_other_releases_are_passed_over_for_our_build(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, name, says)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.peers.locate.ensure", lambda peer, _: Path("/cache") / peer.name)
    assert find_program(name) == Path("/cache/kubernetes") / name


def test_an_unknown_program_is_named() -> None:
    with pytest.raises(KeyError, match="no peer has a program 'flux'"):
        peer_of("flux")
