"""Names in a registry: `oci://host/repository`, tags and digests. Pure.

Grammar: OCI distribution spec v1.1, "Pulling manifests". Docker Hub has three names, of which the API answers to one.
"""

from __future__ import annotations

import ipaddress
import re

from msgspec import Struct

from trueup.model.errors import InvalidInput

PREFIX = "oci://"
DOCKER_HUB = "index.docker.io"
_DOCKER_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HOST = re.compile(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$")
_REPOSITORY = re.compile(r"^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$")


class OciAddress(Struct, frozen=True):
    """A repository of a registry. `host` is lower case, with its port; Docker Hub is always `index.docker.io`."""

    host: str
    repository: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.host}/{self.repository}"

    @property
    def api_host(self) -> str:
        """Where the API is."""
        return "registry-1.docker.io" if self.host == DOCKER_HUB else self.host

    @property
    def is_this_machine(self) -> bool:
        """A registry that may be spoken to without TLS, for the words never leave the machine."""
        name = self.host.rsplit(":", 1)[0].strip("[]") if not self.host.endswith("]") else self.host.strip("[]")
        if name == "localhost":
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def below(self, name: str) -> OciAddress:
        """A repository below this one: a chart of a Helm registry."""
        return parse_address(f"{self}/{name}")


def parse_address(url: str) -> OciAddress:
    """Reads `oci://host[:port]/repository`; tags and digests have fields of their own. Raises InvalidInput."""
    if not url.startswith(PREFIX):
        raise InvalidInput(
            f"{url!r} is not an OCI address", reason="URLInvalid", hint="write oci://host/repository", field="spec.url"
        )
    host, _, repository = url.removeprefix(PREFIX).partition("/")
    repository = repository.rstrip("/")
    if "@" in host:
        raise InvalidInput(
            "an OCI address holds no user or password", reason="URLInvalid", hint="use secretRef", field="spec.url"
        )
    name, mark, tag = repository.rpartition("@") if "@" in repository else repository.rpartition(":")
    if mark and "/" not in tag:
        raise InvalidInput(
            f"the address {url!r} names {mark}{tag}; a tag or digest belongs into a field of its own",
            reason="URLInvalid", hint=f"write {PREFIX}{host}/{name}, and ref.tag or ref.digest", field="spec.url",
        )  # fmt: skip
    host = host.lower()
    if host in _DOCKER_NAMES:
        host = DOCKER_HUB
        repository = repository if "/" in repository else f"library/{repository}"
    if not _HOST.match(host) or not _REPOSITORY.match(repository) or len(repository) > 255:
        raise InvalidInput(
            f"{url!r} is not an OCI address",
            reason="URLInvalid", hint="write oci://host/repository, the repository in lower case", field="spec.url",
        )  # fmt: skip
    return OciAddress(host, repository)


def check_tag(tag: str, field: str) -> str:
    """Raises InvalidInput for what no tag can be."""
    if not _TAG.match(tag):
        raise InvalidInput(
            f"{tag!r} is not a tag", hint="letters, digits, '.', '_' and '-', at most 128 characters", field=field
        )
    return tag


def is_digest(text: str) -> bool:
    return _DIGEST.match(text) is not None


def check_digest(digest: str, field: str) -> str:
    """Raises InvalidInput for what no digest can be."""
    if not is_digest(digest):
        raise InvalidInput(f"{digest!r} is not a digest", hint="write sha256: and 64 hexadecimal digits", field=field)
    return digest
