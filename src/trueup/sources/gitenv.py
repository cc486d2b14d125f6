"""The environment of a git process: the operator's own configuration, our limits on top, credentials out of sight.

Pure. Kept: HOME, proxies, `GIT_CONFIG_*` (insteadOf, CA bundles), an operator's GIT_SSH_COMMAND. Dropped: whatever would
point git at another repository, run a program of somebody else's choice, ask at a terminal, or trace secrets into the
output. Credentials travel in environment values and in files that only we can read, never in arguments.
Rules: git(1) "ENVIRONMENT VARIABLES", git-config(1) GIT_CONFIG_COUNT, gitcredentials(7).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trueup.sources.credentials import GitCredentials
from trueup.sources.giturl import GitUrl

# Other repositories, programs of somebody else's choice, questions.
_DROPPED_NAMES = """
GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_NAMESPACE
GIT_PREFIX GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_REPLACE_REF_BASE GIT_QUARANTINE_PATH GIT_INTERNAL_SUPER_PREFIX
GIT_EXTERNAL_DIFF GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_TEMPLATE_DIR GIT_CURL_VERBOSE GIT_REDIRECT_STDIN
GIT_REDIRECT_STDOUT GIT_REDIRECT_STDERR SSH_ASKPASS SSH_ASKPASS_REQUIRE DISPLAY LANGUAGE
"""
_DROPPED = frozenset(_DROPPED_NAMES.split())
_ALWAYS = (
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("fetch.prune", "false"),
    ("fetch.unpackLimit", "1"),  # always a pack: fewer files, and a truncated pack can be told at a glance
    ("advice.detachedHead", "false"),
)
# A constant: the values come from the environment, so no text of a user is ever part of a shell command.
_HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$TRUEUP_GIT_USERNAME" "$TRUEUP_GIT_PASSWORD"; }; f'
ASKPASS_SCRIPT = '#!/bin/sh\nprintf "%s\\n" "$TRUEUP_SSH_PASSPHRASE"\n'


class CredentialFiles(Struct, frozen=True):
    """Names, inside a private directory, of what git and ssh will only read from files: name -> (text, mode)."""

    files: dict[str, tuple[str, int]]


def clean_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The process's environment without what could redirect git or print secrets."""
    return {key: value for key, value in base.items() if key not in _DROPPED and not key.startswith("GIT_TRACE")}


def credential_files(credentials: GitCredentials | None) -> CredentialFiles:
    """What has to be written to a private directory before `git_environment` may name it. Empty: no directory needed."""
    if credentials is None:
        return CredentialFiles({})
    wanted = {
        "identity": (credentials.ssh_private_key, 0o600),
        "known_hosts": (credentials.known_hosts, 0o600),
        "ca.crt": (credentials.ca_certificate, 0o600),
        "tls.crt": (credentials.client_certificate, 0o600),
        "tls.key": (credentials.client_key, 0o600),
        "askpass": (ASKPASS_SCRIPT if credentials.ssh_passphrase else "", 0o700),
    }
    return CredentialFiles({name: entry for name, entry in wanted.items() if entry[0]})


def git_environment(
    base: Mapping[str, str],
    *,
    allow_local: bool,
    url: GitUrl | None = None,
    credentials: GitCredentials | None = None,
    files: Path | None = None,
) -> dict[str, str]:
    """The whole environment for one git process. `files` is where `credential_files` were written.

    `url` is the address that git will really contact (after insteadOf): a password is offered to that host alone.
    """
    environment = clean_environment(base)
    environment |= {
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "https:ssh:http" + (":file:git" if allow_local else ""),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",  # set but empty: neither core.askPass nor SSH_ASKPASS is tried
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GCM_INTERACTIVE": "never",
    }
    config = list(_ALWAYS)
    if credentials is not None and url is not None:
        config += _http_config(url, credentials)
        environment |= _http_values(credentials, files)
    if url is not None and url.scheme == "ssh":
        environment |= _ssh_values(environment, credentials, files)
    return environment | _config_values(environment, config)


def _http_config(url: GitUrl, credentials: GitCredentials) -> list[tuple[str, str]]:
    if url.scheme not in ("http", "https"):
        return []
    config: list[tuple[str, str]] = [("http.proxy", credentials.proxy)] if credentials.proxy else []
    if credentials.bearer_token:
        # git before 2.46 knows bearer tokens only as a header. A header would follow a redirect to another host.
        config += [(f"http.{url.origin}/.extraHeader", f"Authorization: Bearer {credentials.bearer_token}")]
        config += [("http.followRedirects", "false"), ("credential.helper", "")]
    elif credentials.username or credentials.password:
        config += [("credential.helper", ""), (f"credential.{url.origin}.helper", _HELPER)]
    return config


def _http_values(credentials: GitCredentials, files: Path | None) -> dict[str, str]:
    """Certificates go by environment, which wins over the operator's environment and configuration."""
    values: dict[str, str] = {}
    if credentials.username or credentials.password:
        # A token without a user name is common (GitHub, GitLab take any); an empty name would make git ask for one.
        values |= {"TRUEUP_GIT_USERNAME": credentials.username or "git", "TRUEUP_GIT_PASSWORD": credentials.password}
    if files is not None:
        names = {"GIT_SSL_CAINFO": "ca.crt", "GIT_SSL_CERT": "tls.crt", "GIT_SSL_KEY": "tls.key"}
        present = credential_files(credentials).files
        values |= {key: str(files / name) for key, name in names.items() if name in present}
    if credentials.insecure:
        values["GIT_SSL_NO_VERIFY"] = "1"
    if credentials.no_proxy:
        values |= {"NO_PROXY": credentials.no_proxy, "no_proxy": credentials.no_proxy}
    return values


def _ssh_values(
    environment: Mapping[str, str], credentials: GitCredentials | None, files: Path | None
) -> dict[str, str]:
    """No question is ever asked. With a key of the Secret's own, nothing of the machine's SSH configuration takes part."""
    present = credential_files(credentials).files if files is not None else {}
    options = ["ServerAliveInterval=15"]
    command = ["ssh"]
    values: dict[str, str] = {"GIT_SSH_VARIANT": "ssh"}
    insecure = credentials is not None and credentials.insecure
    if files is not None and "identity" in present:
        command += ["-F", "/dev/null", "-i", str(files / "identity")]
        options += ["IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey"]
    elif (
        not insecure and "known_hosts" not in present and ("GIT_SSH_COMMAND" in environment or "GIT_SSH" in environment)
    ):
        return {}
    if files is not None and "known_hosts" in present:
        options += [f"UserKnownHostsFile={shlex.quote(str(files / 'known_hosts'))}", "GlobalKnownHostsFile=/dev/null"]
    if insecure:
        options += ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null"]
    else:
        options += ["StrictHostKeyChecking=yes"]
    if "askpass" in present and credentials is not None and files is not None:
        options += ["NumberOfPasswordPrompts=1"]
        values |= {"SSH_ASKPASS": str(files / "askpass"), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":"}
        values |= {"TRUEUP_SSH_PASSPHRASE": credentials.ssh_passphrase}
    else:
        options += ["BatchMode=yes"]
    for option in options:
        command += ["-o", option]
    return values | {"GIT_SSH_COMMAND": shlex.join(command)}


def _config_values(environment: Mapping[str, str], config: list[tuple[str, str]]) -> dict[str, str]:
    """Appends to the GIT_CONFIG_COUNT list that is there: the operator's entries stay, ours win by coming last."""
    count = environment.get("GIT_CONFIG_COUNT", "0")
    start = int(count) if count.isdigit() else 0
    values = {"GIT_CONFIG_COUNT": str(start + len(config))}
    for index, (key, value) in enumerate(config, start):
        values |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return values
