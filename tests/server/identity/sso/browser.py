"""A person at a browser, as HTTP: cookies kept, redirects followed by hand, the provider's two forms filled in."""

import re
from urllib.parse import urljoin

from aiohttp import ClientResponse, ClientSession, CookieJar


class Browser:
    """`async with Browser() as browser:`; one jar, as one browser has."""

    def __init__(self) -> None:
        self.http = ClientSession(cookie_jar=CookieJar(unsafe=True))
        self.seen: list[str] = []

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def go(
        self, url: str, *, until: str = "", form: dict[str, str] | None = None
    ) -> tuple[str, ClientResponse, str]:
        """Follows redirects; stops before one whose target begins with `until`. Answers where it is, and the page."""
        for _ in range(20):
            self.seen.append(url)
            method = "GET" if form is None else "POST"
            answer = await self.http.request(method, url, data=form, allow_redirects=False)
            text, form = await answer.text(), None
            if answer.status not in (301, 302, 303, 307):
                return url, answer, text
            url = urljoin(url, answer.headers["Location"])
            if until and url.startswith(until):
                return url, answer, text
        raise AssertionError(f"redirects without end: {self.seen[-5:]}")

    async def sign_in(self, url: str, person: str, *, until: str = "") -> tuple[str, ClientResponse, str]:
        """Through the provider's login and consent, if it asks for them."""
        place, answer, text = await self.go(url, until=until)
        for _ in range(4):
            if until and place.startswith(until):
                break
            prompt = re.search(r'name="prompt" value="(\w+)"', text)
            action = re.search(r'action="([^"]+)"', text)
            if prompt is None or action is None:
                break
            form = {"prompt": prompt[1], **({"login": person, "password": "any"} if prompt[1] == "login" else {})}
            place, answer, text = await self.go(urljoin(place, action[1]), form=form, until=until)
        return place, answer, text
