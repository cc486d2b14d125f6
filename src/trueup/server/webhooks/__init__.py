"""Webhooks in: what forges and registries send, proved to come from them, read as news."""
