"""One real OpenID provider for a module's tests, and a client of it as the server has."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.peers.oidcprovider import OidcProvider, running_oidc_provider

SERVER = "http://127.0.0.1:1"
"""Nobody listens there: the browser of the tests stops before it."""
CALLBACK = f"{SERVER}/auth/callback"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[OidcProvider]:
    async with running_oidc_provider(redirects=[CALLBACK], after_logout=[f"{SERVER}/login"]) as running:
        yield running
