"""The providers' clients are an extra: nothing of them is imported before a bucket asks, and a missing one is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trueup.model.errors import InvalidInput, NotBuiltYet
from trueup.model.source import BucketSource
from trueup.sources.buckets.providers import open_client
from trueup.sources.secrets import NO_SECRETS


@pytest.mark.parametrize(("provider", "module"), [("generic", "s3"), ("azure", "azure"), ("gcp", "gcp")])
def test_a_client_that_is_not_installed_is_named(provider: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, f"trueup.sources.buckets.{module}", raising=False)
    for name in ("minio", "azure.core", "azure.core.exceptions", "google.cloud", "google.api_core.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    source = BucketSource(provider=provider, bucket="shop", endpoint="https://example.com")
    with pytest.raises(NotBuiltYet, match="is missing") as told:
        open_client(source, NO_SECRETS)
    assert "trueup[buckets]" in told.value.hint


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(InvalidInput, match="provider"):
        open_client(BucketSource(provider="tape", bucket="shop", endpoint="x"), NO_SECRETS)


def test_the_fetchers_import_no_client() -> None:
    program = "import sys, trueup.sources.fetching; print([n for n in sys.modules if n.split('.')[0] in ('minio', 'azure', 'google')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
