"""Which client a bucket's provider needs. Each is imported only when a bucket asks for it: they are an optional extra."""

from __future__ import annotations

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.source import BucketSource
from trueup.sources.buckets.objects import BucketClient
from trueup.sources.clouds.given import AccessToken, AwsKeys, Given
from trueup.sources.secrets import SourceSecrets


def open_client(source: BucketSource, secrets: SourceSecrets, given: Given | None = None) -> BucketClient:
    """`given`: by the source's cloud. Blocks (imports, certificates). Raises InvalidInput, NotBuiltYet."""
    try:
        match source.provider:
            case "generic" | "aws":
                from trueup.sources.buckets.s3 import open_s3

                return open_s3(source, secrets, given if isinstance(given, AwsKeys) else None)
            case "azure":
                from trueup.sources.buckets.azure import open_azure

                return open_azure(source, secrets, given if isinstance(given, AccessToken) else None)
            case "gcp":
                from trueup.sources.buckets.gcp import open_gcp

                return open_gcp(source, secrets, given if isinstance(given, AccessToken) else None)
            case other:
                raise InvalidInput(f"there is no provider {other!r}", field="spec.provider")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("trueup"):
            raise
        raise NotBuiltYet(
            f"this installation has no client for buckets of the provider {source.provider}: {error.name} is missing",
            hint="pip install 'trueup[buckets]', or use the image, which has them",
            field="spec.provider",
        ) from error
