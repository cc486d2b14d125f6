"""Kubeconfig files: read, merged and resolved to one context, by client-go's rules. Only files are touched.

Merging: the first file that sets a name or `current-context` wins; relative paths are relative to the file that names them.
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files

Neither kept Python client is used for this part. kubernetes-asyncio's loader costs 1.6 s and 75 MiB to import (it pulls every
model), takes the last `current-context` instead of the first, ignores `as` and `provideClusterInfo`, and leaves keys in
temporary files; kr8s leaves them too, and knows no token expiry. The format itself is small.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import Struct, field

from trueup.model.boundedyaml import load_yaml
from trueup.model.errors import InvalidInput

T = TypeVar("T")


class ClusterStanza(Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[dict[str, Any]] | None = None


class ExecEnvironment(Struct, frozen=True):
    name: str
    value: str = ""


class ExecStanza(Struct, frozen=True, rename="camel"):
    """A credential plugin: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"""

    command: str
    api_version: str = "client.authentication.k8s.io/v1"
    args: list[str] | None = None
    env: list[ExecEnvironment] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False


class AuthProviderStanza(Struct, frozen=True):
    name: str = ""
    config: dict[str, str] | None = None


class UserStanza(Struct, frozen=True, rename="kebab"):
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec_plugin: ExecStanza | None = field(default=None, name="exec")
    auth_provider: AuthProviderStanza | None = None
    impersonate_user: str = field(default="", name="as")
    impersonate_groups: list[str] | None = field(default=None, name="as-groups")

    def __repr__(self) -> str:
        return "UserStanza(...)"


class ContextStanza(Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _Named(Struct, frozen=True):
    name: str
    cluster: ClusterStanza | None = None
    user: UserStanza | None = None
    context: ContextStanza | None = None


class _File(Struct, frozen=True, rename="kebab"):
    clusters: list[_Named] | None = None
    users: list[_Named] | None = None
    contexts: list[_Named] | None = None
    current_context: str = ""


class ResolvedContext(Struct, frozen=True):
    """One context with its cluster and user, each beside the folder that its relative paths start from."""

    name: str
    namespace: str
    cluster: ClusterStanza
    cluster_folder: Path
    user: UserStanza
    user_folder: Path
    user_file: Path


class Kubeconfig(Struct, frozen=True):
    """The merge of one or more files."""

    files: tuple[Path, ...]
    clusters: dict[str, tuple[ClusterStanza, Path]]
    users: dict[str, tuple[UserStanza, Path]]
    contexts: dict[str, ContextStanza]
    current_context: str

    def resolve(self, context: str | None = None) -> ResolvedContext:
        """The context of that name, or the current one. Raises InvalidInput that names those that exist."""
        where = ", ".join(map(str, self.files))
        name = context or self.current_context
        if not name:
            raise InvalidInput(
                f"{where} sets no current-context", hint=f"name one with --context: {_choices(self.contexts)}"
            )
        if name not in self.contexts:
            raise InvalidInput(f"{where} has no context {name!r}", hint=f"it has {_choices(self.contexts)}")
        chosen = self.contexts[name]
        if chosen.cluster not in self.clusters:
            raise InvalidInput(
                f"context {name!r} of {where} names the cluster {chosen.cluster!r}, which is not there",
                hint=f"the clusters are {_choices(self.clusters)}",
            )
        if chosen.user and chosen.user not in self.users:
            raise InvalidInput(
                f"context {name!r} of {where} names the user {chosen.user!r}, which is not there",
                hint=f"the users are {_choices(self.users)}",
            )
        cluster, cluster_file = self.clusters[chosen.cluster]
        user, user_file = self.users.get(chosen.user, (UserStanza(), cluster_file))
        if not cluster.server:
            raise InvalidInput(f"cluster {chosen.cluster!r} of {cluster_file} has no server", hint="set its server URL")
        return ResolvedContext(name, chosen.namespace, cluster, cluster_file.parent, user, user_file.parent, user_file)


def read_kubeconfig(paths: Sequence[Path]) -> Kubeconfig:
    """Reads and merges. Files that do not exist must have been left out by the caller. Raises InvalidInput."""
    return _merged([(path, _read_file(path)) for path in paths])


def parse_kubeconfig(text: str, described: str) -> Kubeconfig:
    """One that is in no file; `described` says for people where it stands. Raises InvalidInput."""
    return _merged([(Path(described), _parse(text, described))])


def _merged(files: Sequence[tuple[Path, _File]]) -> Kubeconfig:
    clusters: dict[str, tuple[ClusterStanza, Path]] = {}
    users: dict[str, tuple[UserStanza, Path]] = {}
    contexts: dict[str, ContextStanza] = {}
    current = ""
    for path, file in files:
        full = path.absolute()
        for row in file.clusters or []:
            clusters.setdefault(row.name, (row.cluster or ClusterStanza(), full))
        for row in file.users or []:
            users.setdefault(row.name, (row.user or UserStanza(), full))
        for row in file.contexts or []:
            contexts.setdefault(row.name, row.context or ContextStanza())
        current = current or file.current_context
    return Kubeconfig(tuple(path for path, _ in files), clusters, users, contexts, current)


def _read_file(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the kubeconfig {path} cannot be read: {error}", hint="check the path and its rights"
        ) from error
    return _parse(text, str(path))


def _parse(text: str, path: str) -> _File:
    try:
        content = load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "a syntax error"
        raise InvalidInput(f"the kubeconfig {path}{line} is not YAML: {problem}") from None
    if content is None:
        return _File()
    try:
        return msgspec.convert(_without_nulls(content), _File, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the kubeconfig {path} is not one: {error}") from None


def _without_nulls(value: Any) -> Any:
    """A key written without a value means the same as no key, as in Go."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def file_or_data(data: str, file: str, folder: Path, *, what: str) -> bytes | None:
    """The bytes of a `...-data` field, which wins, or of the file beside it; None when neither is set."""
    if data:
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(f"the kubeconfig's {what}-data is not base64") from error
    if file:
        path = folder / file
        try:
            return path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"the kubeconfig's {what} {path} cannot be read: {error.strerror}") from error
    return None


def _choices(names: dict[str, T]) -> str:
    return ", ".join(sorted(names)) or "none at all"
