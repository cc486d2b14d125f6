"""Who we are to the API server: static values, a token file that rotates, or an exec plugin. Answers headers and certificates.

Values never show in a repr, an error or a log.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from trueup.cluster.kubeconfig import ClusterStanza, ExecStanza
from trueup.model.errors import AuthenticationFailed, InvalidInput

_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_EXEC_TIMEOUT = 60.0
_EARLY = 10.0
"""Seconds before its end at which a credential is renewed, so that none expires on the way."""


class Credential(Struct, frozen=True):
    """What one request carries: a value for the Authorization header, a client certificate, both or neither."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return "Credential(...)"


class Credentials(Protocol):
    async def current(self) -> Credential:
        """The credential to use now; usually without waiting."""
        ...

    def refused(self) -> bool:
        """The server answered 401. True: the next `current` may be better, so one more try is worth it."""
        ...


class StaticCredentials:
    """A token, a password, a certificate, or nothing: as the kubeconfig says and for ever."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def current(self) -> Credential:
        return self._credential

    def refused(self) -> bool:
        return False


class TokenFileCredentials:
    """A token that somebody else writes anew: a pod's service account token, or `tokenFile`. Read again every minute."""

    def __init__(
        self, path: Path, base: Credential | None = None, *, clock: Callable[[], float], every: float = 60.0
    ) -> None:
        self._path = path
        self._base = base or Credential()
        self._clock = clock
        self._every = every
        self._read_at = float("-inf")
        self._credential = Credential()

    async def current(self) -> Credential:
        if self._clock() - self._read_at >= self._every:
            self._read()
        return self._credential

    def refused(self) -> bool:
        before = self._credential.authorization
        self._read()
        return self._credential.authorization != before

    def _read(self) -> None:
        # A few hundred bytes on a memory file system: not worth a thread.
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            if self._credential.authorization:
                return  # the file is being exchanged; what we have is good for minutes
            raise AuthenticationFailed(
                f"the token file {self._path} cannot be read: {getattr(error, 'strerror', error)}",
                hint="mount the service account token, or name a kubeconfig",
            ) from error
        self._read_at = self._clock()
        self._credential = Credential(f"Bearer {token}", self._base.certificate, self._base.key)


class ExecCredentials:
    """A plugin of the user's own (aws, gke-gcloud-auth-plugin, kubelogin ...), run when its last answer has expired."""

    def __init__(
        self,
        stanza: ExecStanza,
        cluster: ClusterStanza,
        folder: Path,
        *,
        ca_data: bytes | None,
        now: Callable[[], float],
    ) -> None:
        if stanza.api_version not in _EXEC_VERSIONS:
            raise InvalidInput(
                f"the exec plugin {stanza.command!r} speaks {stanza.api_version!r}",
                hint=f"set its apiVersion to one of {', '.join(_EXEC_VERSIONS)}",
            )
        self._stanza = stanza
        self._info = _exec_info(stanza, cluster, ca_data)
        self._folder = folder
        self._now = now
        self._lock = asyncio.Lock()
        self._credential: Credential | None = None
        self._expires = float("inf")

    async def current(self) -> Credential:
        if self._credential is not None and self._now() < self._expires - _EARLY:
            return self._credential
        async with self._lock:
            if self._credential is None or self._now() >= self._expires - _EARLY:
                self._credential, self._expires = read_exec_answer(await self._run(), self._stanza)
        return self._credential

    def refused(self) -> bool:
        self._credential = None
        return True

    async def _run(self) -> bytes:
        stanza = self._stanza
        # client-go: a command with a separator is relative to the kubeconfig, a bare word is looked up on PATH.
        path = str(self._folder / stanza.command) if os.sep in stanza.command else stanza.command
        command = shutil.which(path)
        if command is None:
            raise AuthenticationFailed(
                f"the kubeconfig's exec plugin {stanza.command!r} is not installed",
                hint=stanza.install_hint.strip() or "install it or choose another user",
            )
        env = {**os.environ, **{row.name: row.value for row in stanza.env or []}, "KUBERNETES_EXEC_INFO": self._info}
        process = await asyncio.create_subprocess_exec(
            command,
            *(stanza.args or []),
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_EXEC_TIMEOUT):
                output, errors = await process.communicate()
        except TimeoutError:
            raise AuthenticationFailed(
                f"the exec plugin {stanza.command!r} did not answer within {_EXEC_TIMEOUT:.0f} s",
                hint="run it by hand; it may be waiting for a login",
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            text = " ".join(errors.decode("utf-8", "replace").split())[-400:]
            raise AuthenticationFailed(
                f"the exec plugin {stanza.command!r} ended with {process.returncode}: {text}",
                hint="run it by hand and log in again",
            )
        return output


def _exec_info(stanza: ExecStanza, cluster: ClusterStanza, ca_data: bytes | None) -> str:
    """KUBERNETES_EXEC_INFO: an ExecCredential whose spec says what we are and, when asked for, which cluster it is."""
    spec: dict[str, Any] = {"interactive": False}
    if stanza.provide_cluster_info:
        about: dict[str, Any] = {"server": cluster.server}
        if cluster.tls_server_name:
            about["tls-server-name"] = cluster.tls_server_name
        if cluster.insecure_skip_tls_verify:
            about["insecure-skip-tls-verify"] = True
        if ca_data:
            about["certificate-authority-data"] = base64.b64encode(ca_data).decode()
        if cluster.proxy_url:
            about["proxy-url"] = cluster.proxy_url
        for row in cluster.extensions or []:
            if row.get("name") == "client.authentication.k8s.io/exec":
                about["config"] = row.get("extension")
        spec["cluster"] = about
    return json.dumps({"apiVersion": stanza.api_version, "kind": "ExecCredential", "spec": spec})


def read_exec_answer(output: bytes, stanza: ExecStanza) -> tuple[Credential, float]:
    """The credential a plugin printed, and the Unix time at which it ends (infinity: never)."""
    try:
        answer = json.loads(output)
        status = answer.get("status") if isinstance(answer, dict) else None
    except ValueError:
        answer, status = {}, None
    if not isinstance(status, dict) or answer.get("kind") != "ExecCredential":
        raise AuthenticationFailed(
            f"the exec plugin {stanza.command!r} did not print an ExecCredential with a status", hint="run it by hand"
        )
    if answer.get("apiVersion") != stanza.api_version:
        raise AuthenticationFailed(
            f"the exec plugin {stanza.command!r} answered in {answer.get('apiVersion')!r}, not {stanza.api_version!r}",
            hint="set the apiVersion of the kubeconfig's exec block to what the plugin speaks",
        )
    token = str(status.get("token") or "")
    certificate = str(status.get("clientCertificateData") or "").encode()
    key = str(status.get("clientKeyData") or "").encode()
    if not token and not (certificate and key):
        raise AuthenticationFailed(
            f"the exec plugin {stanza.command!r} gave neither a token nor a certificate with key"
        )
    expires = float("inf")
    if text := status.get("expirationTimestamp"):
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError as error:
            raise AuthenticationFailed(
                f"the exec plugin {stanza.command!r} gave the expirationTimestamp {text!r}, which is not RFC 3339"
            ) from error
        expires = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return Credential(f"Bearer {token}" if token else "", certificate, key), expires
