"""Keys and signatures by the real gpg and ssh-keygen."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Gpg:
    """One GnuPG home with its own agent; `close` ends the agent."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="trueup-gpg-"))  # short: the agent's socket is inside
        self.home.chmod(0o700)

    def run(self, *arguments: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            ["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", *arguments],
            input=data,
            env={**os.environ, "GNUPGHOME": str(self.home), "LC_ALL": "C"},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def key(self, name: str, *, algorithm: str = "ed25519", expires: str = "never") -> str:
        """Makes a key that signs; answers its fingerprint."""
        self.run("--quick-generate-key", f"{name} <{name}@example.com>", algorithm, "sign", expires)
        listed = self.run("--list-keys", "--with-colons", f"{name}@example.com").decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def subkey(self, fingerprint: str, *, expires: str = "never") -> str:
        self.run("--quick-add-key", fingerprint, "ed25519", "sign", expires)
        listed = self.run("--list-keys", "--with-colons", fingerprint).decode()
        return [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")][-1]

    def public(self, *names: str, armor: bool = True) -> bytes:
        return self.run(*(["--armor"] if armor else []), "--export", *names)

    def sign(self, data: bytes, user: str, *options: str) -> bytes:
        return self.run(*options, "--local-user", user, "--armor", "--detach-sign", data=data)

    def clearsign(self, data: bytes, user: str) -> bytes:
        return self.run("--local-user", user, "--clear-sign", data=data)

    def close(self) -> None:
        subprocess.run(
            ["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(self.home)}, check=False, timeout=30
        )
        shutil.rmtree(self.home, ignore_errors=True)


class SshKey:
    """A key pair by ssh-keygen."""

    def __init__(self, folder: Path, kind: str = "ed25519", bits: int | None = None) -> None:
        self.path = folder / f"id-{kind}-{bits or 0}-{len(list(folder.glob('*')))}"
        size = ["-b", str(bits)] if bits else []
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "a comment", "-f", str(self.path)], check=True
        )

    @property
    def public(self) -> bytes:
        return self.path.with_suffix(".pub").read_bytes()

    def sign(self, data: bytes, *, namespace: str = "git", hash_name: str = "sha512") -> bytes:
        done = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", self.path, "-n", namespace, "-O", f"hashalg={hash_name}"],
            input=data,
            capture_output=True,
            check=True,
        )
        return done.stdout

    @property
    def fingerprint(self) -> str:
        done = subprocess.run(["ssh-keygen", "-l", "-f", self.path], capture_output=True, check=True, text=True)
        return done.stdout.split()[1]
