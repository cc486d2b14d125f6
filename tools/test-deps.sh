#!/bin/sh
# Installs the system programs that tests run against, where they are missing: sshd, PostgreSQL, ps, prlimit, gpg, node with npm.
set -eu
missing=""
test -x /usr/sbin/sshd || command -v sshd >/dev/null || missing="$missing openssh-server"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
command -v ps >/dev/null || missing="$missing procps"
command -v prlimit >/dev/null || missing="$missing util-linux"
command -v gpg >/dev/null || missing="$missing gnupg"
command -v ssh-keygen >/dev/null || missing="$missing openssh-client"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
test -z "$missing" && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "tests need$missing; install them with your system's package manager" >&2
    exit 1
fi
echo "==> installing$missing"
apt-get update -qq
# shellcheck disable=SC2086 # a list of words on purpose
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
