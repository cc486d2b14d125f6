"""https with private CAs and client certificates, bearer tokens, and ssh: against real servers."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

from tests.sources.gitkit import Work, git, server_process
from trueup.model.errors import AuthenticationFailed
from trueup.model.source import GitReference, GitSource
from trueup.sources.credentials import GitCredentials, credentials_from_argo, credentials_from_flux
from trueup.sources.giterrors import CertificateUntrusted, HostKeyUnknown, Unreachable
from trueup.sources.mirrors import GitMirrors

MAIN = GitReference(branch="main")


class Pair(Struct):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def certificate(name: str, issuer: Pair | None = None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
    )
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certificate("Test CA")


@asynccontextmanager
async def https_server(work: Work, folder: Path, authority: Pair, *options: str | Path) -> AsyncIterator[str]:
    git("clone", "-q", "--bare", work.path, folder / "served/sample.git")
    pair = certificate("localhost", authority)
    (folder / "server.crt").write_bytes(pair.pem)
    (folder / "server.key").write_bytes(pair.key_pem)
    (folder / "ca.crt").write_bytes(authority.pem)
    tls = ("--tls-cert", folder / "server.crt", "--tls-key", folder / "server.key")
    async with server_process(folder / "served", *tls, *options) as server:
        yield f"{server.url}/sample.git"


class TestHttps:
    async def test_a_private_ca_is_trusted_when_the_secret_names_it(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path, authority: Pair
    ) -> None:
        async with https_server(work, tmp_path, authority) as url:
            source = GitSource(url=url, reference=MAIN)
            with pytest.raises(CertificateUntrusted):
                await mirrors.fetch(source)
            with pytest.raises(CertificateUntrusted):
                await mirrors.fetch(source, credentials_from_flux({"ca.crt": certificate("Other").pem}))
            found = await mirrors.fetch(source, credentials_from_flux({"ca.crt": authority.pem}))
            assert found.read("README.md") == b"hello\n"
            insecure = await mirrors.fetch(source, credentials_from_argo({"insecure": b"true"}))
            assert insecure.commit == found.commit

    async def test_a_client_certificate_is_shown(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path, authority: Pair
    ) -> None:
        async with https_server(work, tmp_path, authority, "--client-ca", tmp_path / "ca.crt") as url:
            source = GitSource(url=url, reference=MAIN)
            # GnuTLS only sees the connection end where OpenSSL is told why.
            with pytest.raises((CertificateUntrusted, Unreachable)) as caught:
                await mirrors.fetch(source, credentials_from_flux({"ca.crt": authority.pem}))
            assert "tls.crt" in caught.value.hint
            client = certificate("client", authority)
            secret = {"ca.crt": authority.pem, "tls.crt": client.pem, "tls.key": client.key_pem}
            found = await mirrors.fetch(source, credentials_from_flux(secret))
            assert found.read("README.md") == b"hello\n"

    async def test_a_bearer_token_opens_a_private_repository(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path, authority: Pair
    ) -> None:
        async with https_server(work, tmp_path, authority, "--private", "--bearer", "good-token") as url:
            source = GitSource(url=url, reference=MAIN)
            with pytest.raises(AuthenticationFailed):
                await mirrors.fetch(
                    source, credentials_from_flux({"ca.crt": authority.pem, "bearerToken": b"bad-token"})
                )
            found = await mirrors.fetch(
                source, credentials_from_flux({"ca.crt": authority.pem, "bearerToken": b"good-token"})
            )
            assert (
                await mirrors.fetch(
                    source, credentials_from_flux({"ca.crt": authority.pem, "bearerToken": b"good-token"}), known=found
                )
                is found
            )

    async def test_a_password_with_every_kind_of_character(
        self, mirrors: GitMirrors, work: Work, tmp_path: Path, authority: Pair
    ) -> None:
        password = "a'b\"c$(touch x)`d`\\e %s ไทย;&|"
        async with https_server(work, tmp_path, authority, "--private", "--reader", f"ann:{password}") as url:
            secret = {"ca.crt": authority.pem, "username": b"ann", "password": password.encode()}
            found = await mirrors.fetch(GitSource(url=url, reference=MAIN), credentials_from_flux(secret))
            assert found.read("README.md") == b"hello\n"


class SshServer(Struct):
    url: str
    known_hosts: bytes
    key: bytes
    key_with_passphrase: bytes


@pytest.fixture
async def ssh(work: Work, tmp_path: Path) -> AsyncIterator[SshServer]:
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if sshd is None:
        if os.environ.get("CI"):
            pytest.fail("sshd is missing: run `make test-deps` (openssh-server)")
        pytest.skip("sshd is not installed; `make test-deps` installs it")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)

    def keygen(name: str, passphrase: str = "") -> bytes:
        path = folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)
        return path.read_bytes()

    keygen("host")
    key, locked = keygen("user"), keygen("locked", "open sesame")
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes() + (folder / "locked.pub").read_bytes())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nPidFile none\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:  # where sshd, run by root, separates its privileges
        await asyncio.to_thread(os.makedirs, "/run/sshd", 0o755, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sshd, "-D", "-e", "-f", folder / "config", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    assert process.returncode is None, "sshd ended"
                    await asyncio.sleep(0.02)
        host_key = (folder / "host.pub").read_text().split()
        known = f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n".encode()
        yield SshServer(f"ssh://{getpass.getuser()}@127.0.0.1:{port}{work.path}", known, key, locked)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class TestSsh:
    async def test_a_key_with_its_known_hosts_opens_the_repository(
        self, mirrors: GitMirrors, ssh: SshServer, work: Work, tmp_path: Path
    ) -> None:
        credentials = credentials_from_flux({"identity": ssh.key.rstrip(), "known_hosts": ssh.known_hosts})
        source = GitSource(url=ssh.url, reference=MAIN)
        found = await mirrors.fetch(source, credentials)
        assert found.read("README.md") == b"hello\n"
        work.commit({"README.md": "new\n"})
        assert (await mirrors.fetch(source, credentials, known=found)).read("README.md") == b"new\n"

    async def test_a_key_with_a_passphrase(self, mirrors: GitMirrors, ssh: SshServer) -> None:
        secret = {"identity": ssh.key_with_passphrase, "known_hosts": ssh.known_hosts, "password": b"open sesame"}
        source = GitSource(url=ssh.url, reference=MAIN)
        assert (await mirrors.fetch(source, credentials_from_flux(secret))).read("README.md") == b"hello\n"
        with pytest.raises(AuthenticationFailed):
            await mirrors.fetch(source, credentials_from_flux(secret | {"password": b"wrong"}))

    async def test_an_unknown_or_changed_host_key_stops_it(self, mirrors: GitMirrors, ssh: SshServer) -> None:
        source = GitSource(url=ssh.url, reference=MAIN)
        other = (
            ssh.known_hosts.split()[0]
            + b" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
        )
        for known in (b"elsewhere " + ssh.known_hosts.split(None, 1)[1], other):
            with pytest.raises(HostKeyUnknown) as caught:
                await mirrors.fetch(source, credentials_from_flux({"identity": ssh.key, "known_hosts": known}))
            assert "ssh-keyscan" in caught.value.hint

    async def test_a_key_that_is_not_authorised(self, mirrors: GitMirrors, ssh: SshServer, tmp_path: Path) -> None:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "stranger"], check=True)  # noqa: ASYNC221
        secret = {"identity": (tmp_path / "stranger").read_bytes(), "known_hosts": ssh.known_hosts}
        with pytest.raises(AuthenticationFailed) as caught:
            await mirrors.fetch(GitSource(url=ssh.url, reference=MAIN), credentials_from_flux(secret))
        assert type(caught.value) is AuthenticationFailed

    async def test_argo_may_ask_to_ignore_the_host_key(self, mirrors: GitMirrors, ssh: SshServer) -> None:
        secret = {"sshPrivateKey": ssh.key, "insecureIgnoreHostKey": b"true"}
        found = await mirrors.fetch(GitSource(url=ssh.url, reference=MAIN), credentials_from_argo(secret))
        assert found.read("README.md") == b"hello\n"

    async def test_no_key_file_is_left_behind(
        self, ssh: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        mirrors = GitMirrors(tmp_path / "mirrors", allow_local=False)
        source = GitSource(url=ssh.url, reference=MAIN)
        await mirrors.fetch(source, credentials_from_flux({"identity": ssh.key, "known_hosts": ssh.known_hosts}))
        with pytest.raises(HostKeyUnknown):
            await mirrors.fetch(source, credentials_from_flux({"identity": ssh.key, "known_hosts": b"x y z"}))
        assert list(scratch.iterdir()) == []


async def test_a_secret_without_anything_is_like_no_secret(mirrors: GitMirrors, work: Work) -> None:
    found = await mirrors.fetch(GitSource(url=work.url, reference=MAIN), GitCredentials())
    assert await mirrors.fetch(GitSource(url=work.url, reference=MAIN), None, known=found) is found
