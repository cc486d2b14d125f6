"""In whose name a cloud is asked: the controller's own, or a ServiceAccount's that a source names. Pure.

The annotations are the clouds' own and Flux's: https://fluxcd.io/flux/integrations/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

from trueup.model.errors import InvalidInput
from trueup.model.refs import ObjectRef

ROLE_ARN = "eks.amazonaws.com/role-arn"
CLIENT_ID = "azure.workload.identity/client-id"
TENANT_ID = "azure.workload.identity/tenant-id"
GOOGLE_ACCOUNT = "iam.gke.io/gcp-service-account"
GOOGLE_PROVIDER = "gcp.auth.fluxcd.io/workload-identity-provider"
KEPT = (ROLE_ARN, CLIENT_ID, TENANT_ID, GOOGLE_ACCOUNT, GOOGLE_PROVIDER)

AWS_AUDIENCE = "sts.amazonaws.com"
AZURE_AUDIENCE = "api://AzureADTokenExchange"

_ARN = re.compile(r"arn:aws[a-z0-9-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_MAIL = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.iam\.gserviceaccount\.com")
_PROVIDER = re.compile(
    r"(?://iam\.googleapis\.com/)?(projects/[0-9]+/locations/global/workloadIdentityPools/[^/\s]+/providers/[^/\s]+)"
)
_GUID = re.compile(r"[0-9a-fA-F-]{36}")


class CloudAccount(Struct, frozen=True, kw_only=True):
    """A ServiceAccount, with those of its annotations that say what it is in a cloud. No name: the controller itself."""

    namespace: str = ""
    name: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> ObjectRef | None:
        return ObjectRef("", "ServiceAccount", self.namespace, self.name) if self.name else None

    @property
    def role(self) -> str:
        """Of AWS."""
        return self._required(ROLE_ARN, _ARN, "arn:aws:iam::123456789012:role/NAME")

    @property
    def tenant_and_client(self) -> tuple[str, str]:
        """Of Azure."""
        example = "the id, 36 characters"
        return self._required(TENANT_ID, _GUID, example), self._required(CLIENT_ID, _GUID, example)

    @property
    def google_account(self) -> str:
        """Whom it stands for at Google; empty: itself."""
        return self._required(GOOGLE_ACCOUNT, _MAIL, "NAME@PROJECT.iam.gserviceaccount.com", optional=True)

    @property
    def google_provider(self) -> str:
        """The federation that knows this cluster, as an audience; empty: the cluster is Google's own."""
        text = self._required(
            GOOGLE_PROVIDER,
            _PROVIDER,
            "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
            optional=True,
        )
        return f"//iam.googleapis.com/{text.removeprefix('//iam.googleapis.com/')}" if text else ""

    def _required(self, key: str, pattern: re.Pattern[str], example: str, *, optional: bool = False) -> str:
        text = self.annotations.get(key, "")
        if (optional and not text) or pattern.fullmatch(text):
            return text
        found = f"is {text!r}" if text else "is missing"
        raise InvalidInput(
            f"the annotation {key} of {self.ref} {found}", field="spec.serviceAccountName", hint=f"set it to {example}"
        )


CONTROLLER = CloudAccount()
