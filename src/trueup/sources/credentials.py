"""What a Git Secret says: the keys of Flux and of Argo CD, read into one masked value.

Pure: bytes in, a frozen value out. How git gets to know them without a command line is `gitenv`'s.
Keys: Flux GitRepository `.spec.secretRef`; Argo CD "Repositories" (repository and repo-creds Secrets).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct, structs

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.sources.httpaccess import read_proxy

_FLUX_KEYS = ("username", "password", "bearerToken", "identity", "known_hosts", "ca.crt", "tls.crt", "tls.key")
_ARGO_LATER = ("gcpServiceAccountKey", "azureServicePrincipalClientSecret")
_ARGO_LATER_FLAGS = ("useAzureWorkloadIdentity", "enableLfs")
_LFS_HINT = (
    "remove it where no manifest is kept in Git LFS: files that are stay the pointers that Git holds, as in Flux"
)
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_TRUE = ("1", "t", "true")  # Go's strconv.ParseBool, in lower case


class GitCredentials(Struct, frozen=True, kw_only=True):
    """Who we are towards a remote, and whom we trust there. Its repr shows which parts are set, never what they hold."""

    username: str = ""
    password: str = ""
    bearer_token: str = ""
    ssh_private_key: str = ""
    ssh_passphrase: str = ""
    known_hosts: str = ""
    ca_certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure: bool = False
    """Neither TLS certificates nor SSH host keys are checked. Only Argo CD's Secrets can ask for it."""
    proxy: str = ""
    """The proxy on the way to HTTP remotes; it may hold a user and a password."""
    no_proxy: str = ""
    """Hosts to which the way is direct all the same, as curl's NO_PROXY."""
    subject: str = ""
    """Whom a password that changes by itself stands for: a GitHub App's token is another one every hour."""

    def __repr__(self) -> str:
        return f"GitCredentials({', '.join(self.parts) or 'none'})"

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the fields that are set."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be printed."""
        values = (self.password, self.bearer_token, self.ssh_private_key, self.ssh_passphrase, self.client_key)
        proxy = (self.proxy, urlsplit(self.proxy).password or "") if "@" in self.proxy else ()
        return tuple(value for value in (*values, *proxy) if value)

    @property
    def for_strangers(self) -> GitCredentials:
        """What may be used towards a host that they are not for: the way there, and nothing of who we are."""
        return GitCredentials(proxy=self.proxy, no_proxy=self.no_proxy)

    def fingerprint(self, key: bytes) -> str:
        """Equal for equal credentials under one key; says nothing about them to who lacks the key.

        The way to a host says nothing about who asks, so a proxy plays no part.
        """
        fixed = structs.replace(
            self,
            proxy="",
            no_proxy="",
            username="" if self.subject else self.username,
            password="" if self.subject else self.password,
            bearer_token="" if self.subject else self.bearer_token,
        )
        return hmac.new(key, msgspec.json.encode(fixed), hashlib.sha256).hexdigest()[:32]


def credentials_from_flux(data: Mapping[str, bytes]) -> GitCredentials:
    """Reads a Flux Git Secret (`data`, decoded). Raises InvalidInput naming the key, never its value."""
    known = {key: _text(data, key) for key in _FLUX_KEYS}
    ssh = known["identity"]
    if ssh and not known["known_hosts"]:
        raise InvalidInput(
            "the key 'identity' needs 'known_hosts' beside it",
            hint="add the output of: ssh-keyscan HOST",
            field="known_hosts",
        )
    return _checked(
        GitCredentials(
            username=known["username"],
            password="" if ssh else known["password"],
            bearer_token=known["bearerToken"],
            ssh_private_key=_pem(ssh),
            ssh_passphrase=known["password"] if ssh else "",
            known_hosts=known["known_hosts"],
            ca_certificate=_text(data, "ca.crt") or _text(data, "caFile"),
            client_certificate=known["tls.crt"] or _text(data, "certFile"),
            client_key=known["tls.key"] or _text(data, "keyFile"),
        )
    )


def credentials_from_argo(
    data: Mapping[str, bytes], *, known_hosts: str = "", ca_certificate: str = ""
) -> GitCredentials:
    """Reads an Argo CD repository or repo-creds Secret; known hosts and CAs come from its two ConfigMaps."""
    for key in _ARGO_LATER:
        if _text(data, key):
            raise NotBuiltYet(f"the key {key!r} of a repository Secret is not built yet", field=key)
    for key in _ARGO_LATER_FLAGS:
        if _flag(data, key):
            hint = _LFS_HINT if key == "enableLfs" else ""
            raise NotBuiltYet(f"the key {key!r} of a repository Secret is not built yet", field=key, hint=hint)
    return _checked(
        GitCredentials(
            username=_text(data, "username"),
            password=_text(data, "password"),
            bearer_token=_text(data, "bearerToken"),
            ssh_private_key=_pem(_text(data, "sshPrivateKey")),
            known_hosts=known_hosts,
            ca_certificate=ca_certificate,
            client_certificate=_text(data, "tlsClientCertData"),
            client_key=_text(data, "tlsClientCertKey"),
            insecure=_flag(data, "insecure") or _flag(data, "insecureIgnoreHostKey"),
            proxy=_text(data, "proxy").strip(),
            no_proxy=_text(data, "noProxy").strip(),
        )
    )


def with_proxy(credentials: GitCredentials | None, data: Mapping[str, bytes]) -> GitCredentials:
    """Adds the proxy of Flux's `proxySecretRef`: `address`, `username`, `password`. Raises InvalidInput."""
    proxy = read_proxy(data)
    parts = urlsplit(proxy.address)
    login = f"{quote(proxy.username, safe='')}:{quote(proxy.password, safe='')}@" if proxy.username else ""
    address = urlunsplit((parts.scheme, f"{login}{parts.netloc}", parts.path.rstrip("/"), "", ""))
    return structs.replace(credentials or GitCredentials(), proxy=address)


def _checked(found: GitCredentials) -> GitCredentials:
    if found.proxy and urlsplit(found.proxy).scheme not in _PROXY_SCHEMES:
        raise InvalidInput(
            "the proxy's address has a scheme that git cannot use",
            hint=f"one of {', '.join(_PROXY_SCHEMES)}",
            field="proxy",
        )
    if bool(found.client_certificate) != bool(found.client_key):
        raise InvalidInput("a client certificate and its key must both be set, or neither", field="tls.crt, tls.key")
    if found.bearer_token and found.password:
        raise InvalidInput(
            "a bearer token and a password exclude each other", hint="keep one of them", field="bearerToken"
        )
    return found


def _text(data: Mapping[str, bytes], key: str) -> str:
    try:
        text = data.get(key, b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the key {key!r} is not UTF-8 text", field=key) from error
    if key in ("username", "password", "bearerToken"):
        text = text.rstrip("\r\n")  # `kubectl create secret --from-file` keeps the editor's last newline
        if any(character in text for character in "\0\r\n"):
            raise InvalidInput(f"the key {key!r} holds a line break", field=key)
    return text


def _pem(text: str) -> str:
    """OpenSSH refuses a private key without its last newline, and one with CRLF line ends."""
    return text.replace("\r\n", "\n").rstrip("\n") + "\n" if text.strip() else ""


def _flag(data: Mapping[str, bytes], key: str) -> bool:
    return _text(data, key).strip().lower() in _TRUE
