"""Who we are towards a registry: pull Secrets of every form, matched to a host and path as a kubelet matches them. Pure.

Docker's config file: https://kubernetes.io/docs/concepts/containers/images/#config-json. A plain Secret with `username` and
`password` (or `token`) is for whatever host the source names, as Flux's HelmRepository has it.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.sources.foreignjson import NotReadable, read_json
from trueup.sources.oci.address import DOCKER_HUB, OciAddress
from trueup.sources.secrets import NONE, SecretData, SourceSecrets

CONFIG_KEYS = (".dockerconfigjson", ".dockercfg", "config.json")
_DOCKER_HUB_KEYS = ("index.docker.io", "docker.io", "registry-1.docker.io")


class RegistryLogin(Struct, frozen=True):
    """`identity_token` is a refresh token, `registry_token` a bearer token to be used as it is. Its repr shows neither."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return f"RegistryLogin({self.username!r})"

    @property
    def is_anonymous(self) -> bool:
        return not (self.username or self.password or self.identity_token or self.registry_token)


ANONYMOUS = RegistryLogin()


class _Auth(Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(Struct, frozen=True):
    auths: dict[str, _Auth] = field(default_factory=dict)
    cred_helpers: dict[str, str] = field(default_factory=dict, name="credHelpers")
    creds_store: str = field(default="", name="credsStore")


def login_for(address: OciAddress, secrets: SourceSecrets) -> RegistryLogin:
    """Raises InvalidInput naming the key, never its value; NotBuiltYet for a credential helper."""
    if secrets.argo is not NONE:
        return _plain(secrets.argo.data)
    if secrets.auth is not NONE and (found := _in_secret(address, secrets.auth)) is not None:
        return found
    for secret in secrets.pull:
        if secret.data.keys() & set(CONFIG_KEYS) and (found := _in_secret(address, secret)) is not None:
            return found
    return ANONYMOUS


def _in_secret(address: OciAddress, secret: SecretData) -> RegistryLogin | None:
    for key in CONFIG_KEYS:
        if key in secret.data:
            return find_login(address, read_config(secret.data[key], key), key)
    if "username" in secret.data or "token" in secret.data or "password" in secret.data:
        return _plain(secret.data)
    raise InvalidInput(
        f"the Secret for the registry has neither {CONFIG_KEYS[0]!r} nor 'username' and 'password'",
        hint="kubectl create secret docker-registry NAME --docker-server=HOST --docker-username=... --docker-password=...",
        field="spec.secretRef",
    )


def read_config(text: bytes, key: str) -> _Config:
    """`.dockercfg` is the older form: the hosts without `auths` around them."""
    try:
        if key == ".dockercfg":
            return _Config(auths=read_json(text, dict[str, _Auth]))
        return read_json(text, _Config)
    except NotReadable:
        # msgspec names the place, but a decode error of a secret is not worth the risk of showing a part of it
        raise InvalidInput(f"the key {key!r} of the Secret is not a Docker config file", field=key) from None


def find_login(address: OciAddress, config: _Config, key: str) -> RegistryLogin | None:
    """The entry that fits best: the longest path of the host's entries, a named host before a pattern."""
    fitting = [(name, auth) for name, auth in config.auths.items() if _fits(name, address)]
    for name, auth in sorted(fitting, key=lambda row: _rank(row[0]), reverse=True):
        login = _login(auth, f"{key}: {name}")
        if not login.is_anonymous:
            return login
    helper = next((used for name, used in config.cred_helpers.items() if _fits(name, address)), config.creds_store)
    if helper:
        raise NotBuiltYet(
            f"the Secret leaves {address.host} to the credential helper {helper!r}, which only runs where it is installed",
            hint="put the user name and password (or token) into the Secret itself",
            field=key,
        )
    return None


def _login(auth: _Auth, place: str) -> RegistryLogin:
    username, password = auth.username, auth.password
    if auth.auth and not (username and password):
        try:
            username, colon, password = base64.b64decode(auth.auth.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            colon = ""
        if not colon:
            raise InvalidInput("'auth' is not the base64 of user:password", field=place)
        password = password.rstrip("\0")
    if username == "<token>":  # Docker writes this user beside an identity token
        return RegistryLogin(identity_token=auth.identitytoken or password)
    return RegistryLogin(username, password, auth.identitytoken, auth.registrytoken)


def _plain(data: Mapping[str, bytes]) -> RegistryLogin:
    values = {}
    for key in ("username", "password", "token"):
        try:
            values[key] = data.get(key, b"").decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"the key {key!r} is not UTF-8 text", field=key) from error
    if values["token"] and not values["password"]:
        return RegistryLogin(registry_token=values["token"])
    return RegistryLogin(values["username"], values["password"])


def _split(name: str) -> tuple[str, str]:
    """`https://index.docker.io/v1/` -> host and path; the API's own version is no part of the path."""
    host, _, path = name.removeprefix("https://").removeprefix("http://").partition("/")
    path = path.strip("/")
    return host.lower(), "" if path in ("v1", "v2") else path


def _rank(name: str) -> tuple[int, bool, str]:
    host, path = _split(name)
    return len(path), not any(character in host for character in "*?["), name


def _fits(name: str, address: OciAddress) -> bool:
    host, path = _split(name)
    if not any(_host_fits(host, own) for own in _own_names(address)):
        return False
    return not path or address.repository == path or address.repository.startswith(f"{path}/")


def _own_names(address: OciAddress) -> Iterator[str]:
    yield from _DOCKER_HUB_KEYS if address.host == DOCKER_HUB else (address.host,)


def _host_fits(pattern: str, host: str) -> bool:
    """Patterns stand for one label each: `*.example.com` is not `a.b.example.com` (kubelet's rule); ports must be equal."""
    ours, theirs = pattern.split("."), host.split(".")
    if pattern.partition(":")[2] != host.partition(":")[2]:
        return False
    return len(ours) == len(theirs) and all(
        fnmatch.fnmatchcase(own.partition(":")[0], glob.partition(":")[0])
        for glob, own in zip(ours, theirs, strict=True)
    )
