"""Buckets of object stores as sources: S3 and its kin, Azure Blob Storage, Google Cloud Storage."""
