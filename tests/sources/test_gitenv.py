"""git's environment: the operator's configuration stays, nothing else gets in, secrets stay out of arguments."""

from __future__ import annotations

from pathlib import Path

from trueup.sources.credentials import GitCredentials
from trueup.sources.gitenv import credential_files, git_environment
from trueup.sources.giturl import parse_git_url

URL = parse_git_url("https://git.example.com:8443/team/a")
SSH = parse_git_url("git@host:a")


def config(environment: dict[str, str]) -> list[tuple[str, str]]:
    count = int(environment["GIT_CONFIG_COUNT"])
    return [
        (environment[f"GIT_CONFIG_KEY_{index}"], environment[f"GIT_CONFIG_VALUE_{index}"]) for index in range(count)
    ]


def test_the_operators_configuration_is_kept_and_ours_comes_after_it() -> None:
    base = {
        "HOME": "/home/x",
        "HTTPS_PROXY": "http://proxy",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.http://local/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    environment = git_environment(base, allow_local=False)
    assert {"HOME": "/home/x", "HTTPS_PROXY": "http://proxy"}.items() <= environment.items()
    assert config(environment)[0] == ("url.http://local/.insteadOf", "https://github.com/")
    assert ("gc.auto", "0") in config(environment)
    assert ("core.hooksPath", "/dev/null") in config(environment)


def test_nothing_redirects_git_asks_at_a_terminal_or_traces() -> None:
    base = {
        "GIT_DIR": "/x",
        "GIT_TRACE_CURL": "1",
        "GIT_TRACE": "1",
        "SSH_ASKPASS": "/evil",
        "GIT_EDITOR": "vi",
        "LANGUAGE": "th",
    }
    environment = git_environment(base, allow_local=False)
    assert not base.keys() & environment.keys()
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert environment["GIT_ASKPASS"] == ""
    assert environment["LC_ALL"] == "C"


def test_only_remote_protocols_are_allowed_unless_asked_for() -> None:
    assert git_environment({}, allow_local=False)["GIT_ALLOW_PROTOCOL"] == "https:ssh:http"
    assert git_environment({}, allow_local=True)["GIT_ALLOW_PROTOCOL"] == "https:ssh:http:file:git"


def test_a_password_is_offered_to_its_host_alone_and_no_other_helper_is_asked() -> None:
    environment = git_environment(
        {}, allow_local=False, url=URL, credentials=GitCredentials(username="ann", password="pw")
    )
    keys = [key for key, _ in config(environment)]
    assert keys.index("credential.helper") < keys.index("credential.https://git.example.com:8443.helper")
    assert not any("pw" in value for _, value in config(environment))
    assert environment["TRUEUP_GIT_PASSWORD"] == "pw"


def test_a_bearer_token_follows_no_redirect() -> None:
    environment = git_environment({}, allow_local=False, url=URL, credentials=GitCredentials(bearer_token="tok"))
    assert ("http.https://git.example.com:8443/.extraHeader", "Authorization: Bearer tok") in config(environment)
    assert ("http.followRedirects", "false") in config(environment)


def test_credentials_of_one_kind_do_not_touch_the_other_protocol() -> None:
    environment = git_environment(
        {}, allow_local=False, url=SSH, credentials=GitCredentials(username="ann", password="pw")
    )
    assert not any(key.startswith(("http.", "credential")) for key, _ in config(environment))


def test_ssh_never_asks_and_uses_the_secrets_key_alone() -> None:
    credentials = GitCredentials(ssh_private_key="KEY\n", known_hosts="host key")
    environment = git_environment(
        {}, allow_local=False, url=SSH, credentials=credentials, files=Path("/run/with space")
    )
    command = environment["GIT_SSH_COMMAND"]
    for part in (
        "-F /dev/null",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "UserKnownHostsFile=",
    ):
        assert part in command
    assert "'/run/with space/identity'" in command
    assert "KEY\n" not in command


def test_the_operators_ssh_command_stays_where_no_secret_says_otherwise() -> None:
    base = {"GIT_SSH_COMMAND": "ssh -J jump"}
    assert git_environment(base, allow_local=False, url=SSH)["GIT_SSH_COMMAND"] == "ssh -J jump"
    assert "StrictHostKeyChecking=yes" in git_environment({}, allow_local=False, url=SSH)["GIT_SSH_COMMAND"]


def test_host_keys_are_ignored_only_when_the_secret_says_so() -> None:
    command = git_environment({}, allow_local=False, url=SSH, credentials=GitCredentials(insecure=True))[
        "GIT_SSH_COMMAND"
    ]
    assert "StrictHostKeyChecking=no" in command
    assert "StrictHostKeyChecking=yes" not in command


def test_files_are_private() -> None:
    credentials = GitCredentials(
        ssh_private_key="K", known_hosts="h", ssh_passphrase="p", client_certificate="c", client_key="k"
    )
    modes = {name: mode for name, (_, mode) in credential_files(credentials).files.items()}
    assert modes == {"identity": 0o600, "known_hosts": 0o600, "askpass": 0o700, "tls.crt": 0o600, "tls.key": 0o600}
    assert credential_files(None).files == {}
    assert "p" not in credential_files(credentials).files["askpass"][0].replace("printf", "").replace("PASSPHRASE", "")
