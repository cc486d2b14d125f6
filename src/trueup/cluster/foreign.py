"""A kubeconfig that somebody else wrote, in a Secret: it may say where a cluster is and who we are there, and nothing else.

Whoever may write a Secret must not come to run programs in the controller or to read its files, so commands (`exec`), auth
providers and paths of files are refused. An unverified server is, too, as in Flux: it would be told our credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from msgspec import Struct, structs

from trueup.cluster.config import ClusterConfig, from_context
from trueup.cluster.kubeconfig import ClusterStanza, UserStanza, parse_kubeconfig
from trueup.model.errors import InvalidInput

DEFAULT_KEYS = ("value", "value.yaml")
MOST_BYTES = 1024 * 1024
_DATA = "put its content into `{}-data` instead"


class Leave(Struct, frozen=True, kw_only=True):
    """What whoever runs the controller allows kubeconfigs of Secrets besides (Flux's flags `--insecure-kubeconfig-*`)."""

    exec_plugins: bool = False
    unverified_tls: bool = False


def pick(data: Mapping[str, bytes], key: str, described: str) -> bytes:
    """The kubeconfig among the keys of a Secret. Raises InvalidInput naming the keys that there are."""
    wanted = (key,) if key else DEFAULT_KEYS
    for name in wanted:
        if content := data.get(name):
            return content
    raise InvalidInput(
        f"{described} holds no kubeconfig under {' or '.join(map(repr, wanted))}: it has {', '.join(sorted(data)) or 'no keys'}",
        hint="put it under `value`, or name its key in secretRef.key",
    )


def config_of_kubeconfig(content: bytes, described: str, leave: Leave | None = None) -> ClusterConfig:
    """`described` says for people which Secret it is. Raises InvalidInput for what is no kubeconfig, or asks for too much."""
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"the kubeconfig of {described} has {len(content)} bytes; {MOST_BYTES} are allowed")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"the kubeconfig of {described} is not UTF-8 text") from None
    leave = leave or Leave()
    context = parse_kubeconfig(text, described).resolve()
    _check_cluster(context.cluster, described, leave)
    _check_user(context.user, described, leave)
    try:
        config = from_context(context)
    except InvalidInput as error:
        raise InvalidInput(f"the kubeconfig of {described}: {error.message}", hint=error.hint) from None
    return structs.replace(config, described=f"context {context.name!r} of {described}")


def _check_cluster(cluster: ClusterStanza, described: str, leave: Leave) -> None:
    if cluster.certificate_authority:
        raise _file("certificate-authority", described)
    if cluster.insecure_skip_tls_verify and not leave.unverified_tls:
        raise InvalidInput(
            f"the kubeconfig of {described} asks not to verify the server (insecure-skip-tls-verify)",
            hint="give its certificate-authority-data, or let the controller allow it by --insecure-kubeconfig-tls",
        )


def _check_user(user: UserStanza, described: str, leave: Leave) -> None:
    for name, path in (("client-certificate", user.client_certificate), ("client-key", user.client_key)):
        if path:
            raise _file(name, described)
    if user.token_file:
        raise InvalidInput(
            f"the kubeconfig of {described} names a file of the controller (tokenFile)",
            hint="put the token into `token`",
        )
    if user.exec_plugin is not None and not leave.exec_plugins:
        raise InvalidInput(
            f"the kubeconfig of {described} asks to run the command {user.exec_plugin.command!r} (exec)",
            hint="use a token or a client certificate, or a configMapRef that lets a ServiceAccount's token be exchanged; "
            "--insecure-kubeconfig-exec allows commands",
        )


def _file(name: str, described: str) -> InvalidInput:
    return InvalidInput(
        f"the kubeconfig of {described} names a file of the controller ({name})", hint=_DATA.format(name)
    )


def identity_of(*parts: bytes | str) -> str:
    """What tells one way to a cluster from every other; holds nothing of what it is made of."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode()
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.hexdigest()
