"""Whether a signature was made by one of the keys that somebody trusts: OpenPGP and SSH. Pure: bytes in, a Signer out.

Where a signature comes from (a commit, a tag, a chart's provenance file) is the callers' business.
"""

from trueup.sources.signatures.pgp import verify_pgp, verify_pgp_cleartext
from trueup.sources.signatures.signer import SignatureInvalid, Signer
from trueup.sources.signatures.ssh import verify_ssh

__all__ = ["SignatureInvalid", "Signer", "verify_pgp", "verify_pgp_cleartext", "verify_ssh"]
