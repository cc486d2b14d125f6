"""`trueup server` as users run it, a process of its own beside a stack's controller, and somebody who knocks at it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import requests

from tests.e2e.stack import Process, Stack, free_port, until
from tests.e2e.stack import _python as python

BASE = "/api/trueup/v1"
TIMEOUT = 60.0


class Door:
    """The server's process. `kill` and `start` keep its port, journal and database.

    `shift`: a file with seconds, by which the server takes its time of day to be another.
    """

    def __init__(
        self, stack: Stack, name: str = "server", *arguments: str, database: str = "", shift: Path | None = None
    ) -> None:
        self.stack = stack
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = requests.Session()
        self.http.trust_env = False
        self.token = ""
        self.kept = ""
        program = [*python("tests.proof.shifted"), str(shift)] if shift else python("trueup.cli.main")
        self.process = Process(
            [
                *program, "server", "--insecure", "--host=127.0.0.1", f"--port={self.port}",
                f"--kubeconfig={stack.kubeconfig}", f"--state-dir={stack.folder / name}",
                f"--controller=http://127.0.0.1:{stack.http_port}",
                f"--database={database or f'sqlite:///{stack.database}'}", *arguments,
            ],
            stack.folder / f"{name}.log",
            {},
        )  # fmt: skip

    def start(self) -> None:
        self.process.start()
        until(self.is_up, within=60, what=f"the server; its log:\n{self.process.log[-3000:]}")

    def is_up(self) -> bool:
        try:
            return self.http.get(f"{self.url}/api/version", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def sign_in(self) -> None:
        """As the first admin."""
        secret = self.stack.api.get("secret", "trueup-initial-admin-secret", "argocd") or {}
        self.password = base64.b64decode(secret["data"]["password"]).decode()
        said = {"username": "admin", "password": self.password}
        answer = self.http.post(f"{self.url}/api/v1/session", json=said, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        self.token = self.kept = answer.json()["token"]

    def renew(self) -> None:
        """Another token for `admin`, by the one that is kept aside: whatever is tried with it, it may be lost."""
        answer = self.http.post(
            f"{self.url}/api/v1/account/admin/token",
            json={},
            headers={"Authorization": f"Bearer {self.kept}"},
            timeout=TIMEOUT,
        )
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Below our own API; the status and the decoded answer."""
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        data = None if body is None else json.dumps(body)
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self.http.request(method, self.url + BASE + path, data=data, headers=sent, timeout=TIMEOUT)
        return answer.status_code, answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def memory_mib(self) -> float:
        """Resident now."""
        rows = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")) / 1024

    def stop(self) -> None:
        self.process.kill()
        self.http.close()
