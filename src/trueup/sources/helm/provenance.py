"""Whether a chart's `.prov` file vouches for it: a clear-signed text with the chart's metadata and the digest of its archive.

Format: https://helm.sh/docs/topics/provenance/ . Whose keys count is the caller's to say.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from trueup.sources.helm.reading import ChartInvalid, ChartReader
from trueup.sources.signatures import SignatureInvalid, Signer, verify_pgp_cleartext

_PARTS = b"\n...\n"


class _Sums(Struct, frozen=True):
    files: dict[str, str] = {}


async def verify_provenance(
    packed: bytes, provenance: bytes, *, name: str, keys: Iterable[bytes], reader: ChartReader
) -> Signer:
    """`name` is the archive's file name, as the signer had it. Raises SignatureInvalid."""
    signed, signer = verify_pgp_cleartext(provenance, keys)
    _, separator, listed = signed.replace(b"\r\n", b"\n").partition(_PARTS)
    if not separator:
        raise SignatureInvalid(
            "the provenance file does not list what it vouches for", hint="make it with: helm package --sign"
        )
    try:
        sums = msgspec.convert((await reader.yaml({"provenance": listed}))["provenance"] or {}, _Sums)
    except (msgspec.ValidationError, ChartInvalid) as error:
        raise SignatureInvalid(f"the provenance file cannot be read: {error}") from error
    said = sums.files.get(name)
    if said is None:
        raise SignatureInvalid(
            f"the provenance file vouches for {', '.join(sorted(sums.files)) or 'nothing'}, not for {name}"
        )
    if not hmac.compare_digest(said, f"sha256:{hashlib.sha256(packed).hexdigest()}"):
        raise SignatureInvalid(f"the digest of {name} is not the one that the provenance file vouches for")
    return signer
