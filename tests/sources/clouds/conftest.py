"""The fetcher of buckets."""

from tests.sources.buckets.conftest import fetching

__all__ = ["fetching"]
