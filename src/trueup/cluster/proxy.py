"""Which HTTP proxy a cluster is reached through: the kubeconfig's `proxy-url`, else the environment's, decided once."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from trueup.model.errors import InvalidInput


def proxy_for(server: str, configured: str) -> URL | None:
    """None: no proxy. Raises InvalidInput for kinds that we cannot use."""
    parts = urlsplit(server)
    text = configured
    if not text and not proxy_bypass(parts.hostname or ""):
        text = getproxies().get(parts.scheme, "")
    if not text:
        return None
    proxy = URL(text)
    if proxy.scheme not in ("http", "https"):
        raise InvalidInput(
            f"the proxy of {server} is of the kind {proxy.scheme!r}", hint="only http and https proxies can be used"
        )
    return proxy
