#!/bin/sh
# Installs the system programs that tests run against, where they are missing: sshd, PostgreSQL, ps, prlimit, gpg, node with npm, Chromium and the Noto fonts.
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
command -v chromium >/dev/null || missing="$missing chromium"
fc-list 2>/dev/null | grep -q NotoSansThai- || missing="$missing fonts-noto-core" # the pages in Thai, alike on every machine
test -z "$missing" && exit 0
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "tests need$missing; install them with your system's package manager" >&2
    exit 1
fi
echo "==> installing$missing"
apt-get update -qq
# shellcheck disable=SC2086 # a list of words on purpose
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
