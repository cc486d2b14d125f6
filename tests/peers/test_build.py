"""Pins, cache keys, and the build as one step that happened or did not."""

import os
import threading
from pathlib import Path

import pytest

from tests.peers import build
from tests.peers.build import BuildFailed, cache_root, ensure
from tests.peers.pins import KUBERNETES, PEERS, Peer, Pin, cache_key, linker_flags, parse_pin, read_pin

GO_MOD = """
module trueup.dev/tools/hello

go 1.26.0

require (
	example.com/hello/v2 v2.1.0 // indirect
	example.com/hello v1.37.2
)
"""


def test_a_pin_is_the_required_version_and_the_go_line() -> None:
    assert parse_pin(GO_MOD, "example.com/hello") == Pin(version="v1.37.2", go="1.26.0")
    assert parse_pin(GO_MOD, "example.com/hello/v2").version == "v2.1.0"


def test_a_go_mod_without_the_module_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"names no version of example\.com/other"):
        parse_pin(GO_MOD, "example.com/other")


@pytest.mark.parametrize("peer", PEERS.values(), ids=str)
def test_every_peer_is_pinned_with_sums(peer: Peer) -> None:
    pin = read_pin(peer)
    assert f"{peer.module} {pin.version} h1:" in (peer.folder / "go.sum").read_text()


def test_all_staging_modules_are_replaced_by_the_release_of_kubernetes_itself() -> None:
    version = read_pin(KUBERNETES).version.replace("v1.", "v0.", 1)
    lines = (KUBERNETES.folder / "go.mod").read_text().splitlines()
    replaced = [line.split()[-1] for line in lines if "=>" in line]
    assert replaced
    assert set(replaced) == {version}


def test_kubernetes_is_linked_with_the_version_that_clients_parse() -> None:
    flags = linker_flags(KUBERNETES, "v1.37.2")
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.37.2 -X {package}.gitMajor=1 -X {package}.gitMinor=37" in flags


def test_the_cache_key_changes_exactly_when_an_input_does() -> None:
    inputs = (PEERS["etcd"], b"mod", b"sum", "-s", "linux/x86_64")
    key = cache_key(*inputs)
    assert key == cache_key(*inputs)
    assert key.startswith("etcd-")
    others = [
        cache_key(PEERS["etcd"], b"mods", b"um", "-s", "linux/x86_64"),
        cache_key(PEERS["etcd"], b"mod", b"sum", "-s -w", "linux/x86_64"),
        cache_key(PEERS["etcd"], b"mod", b"sum", "-s", "darwin/arm64"),
        cache_key(Peer("etcd", "m", {"etcd": "other"}), b"mod", b"sum", "-s", "linux/x86_64"),
    ]
    assert len({key, *others}) == 5


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TRUEUP_CACHE_DIR": "/ci", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/ci/peers"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/trueup/peers"),
        ({"HOME": "/h"}, "/h/.cache/trueup/peers"),
    ],
)
def test_the_cache_folder_is_the_users_unless_said_otherwise(environ: dict[str, str], folder: str) -> None:
    assert cache_root(environ) == Path(folder)


class Hello:
    """A tiny peer in a folder of its own, built by the real Go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hello"
        self.folder.mkdir()
        (self.folder / "go.mod").write_text("module example.com/hello\n\ngo 1.21.0\n\n// example.com/hello v1.0.0\n")
        (self.folder / "go.sum").touch()
        self.write('package main\n\nfunc main() { println("hello") }\n')

    def write(self, code: str) -> None:
        (self.folder / "main.go").write_text(code)


@pytest.fixture
def hello(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hello:
    monkeypatch.setenv("TRUEUP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tests.peers.pins.TOOLS", tmp_path)
    monkeypatch.setattr(build, "read_pin", lambda _: Pin("v1.0.0", "1.21.0"))
    monkeypatch.setattr("tests.peers.pins.read_pin", lambda _: Pin("v1.0.0", "1.21.0"))
    return Hello(tmp_path)


HELLO = Peer("hello", "example.com/hello", {"hello-there": "example.com/hello"})


def test_a_peer_is_built_once_under_its_name_and_then_found(hello: Hello) -> None:
    said: list[str] = []
    folder = ensure(HELLO, said.append)
    assert os.access(folder / "hello-there", os.X_OK)
    assert said[0].startswith("hello v1.0.0: building hello-there with go1.")
    said.clear()
    assert ensure(HELLO, said.append) == folder
    assert said == []


def test_a_failed_build_shows_the_compiler_and_leaves_nothing_that_looks_built(hello: Hello, tmp_path: Path) -> None:
    hello.write("package main\n\nfunc main() { undefinedName() }\n")
    with pytest.raises(BuildFailed, match="undefined: undefinedName"):
        ensure(HELLO)
    assert [path.name for path in (tmp_path / "cache" / "peers").iterdir() if not path.name.endswith(".lock")] == []


def test_of_two_builders_one_builds_and_the_other_waits_for_it(hello: Hello) -> None:
    said: list[str] = []
    builders = [threading.Thread(target=ensure, args=(HELLO, said.append)) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert sum("building" in line for line in said) == 1
    assert sum("built in" in line for line in said) == 1


def test_an_unknown_peer_is_a_usage_error_that_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["minikube"]) == 2
    there_are = ", ".join([*PEERS, "all"])
    assert capsys.readouterr().err == f"unknown peer 'minikube'; there are: {there_are}\n"
