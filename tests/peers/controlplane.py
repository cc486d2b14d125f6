"""A real control plane for tests and benchmarks: etcd, kube-apiserver and, unless told otherwise, the controllers,
the scheduler and simulated nodes, on free ports with a throwaway data folder.

`start` returns when the API answers; controllers and nodes come up meanwhile (`nodes_ready` waits for them). Processes
belong to no event loop, so a session's control plane serves tests that each have their own.
"""

import asyncio
import contextlib
import shutil
import signal
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.peers import arguments
from tests.peers.certs import Authority, KeyPair, service_account_keys
from tests.peers.kubeconfig import write_kubeconfig
from tests.peers.kubelet import Kubelet
from tests.peers.locate import find_program
from tests.peers.metrics import Request, request_counts
from tests.peers.process import Child, PeerFailed, Watchdog, free_ports, until

ADMINISTRATORS = ("system:masters",)
START_TIMEOUT = 60.0
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")


class ControlPlane:
    """One control plane. All methods may be called from any event loop, one at a time.

    `controllers=False` starts etcd and kube-apiserver alone: nothing collects garbage, ends namespaces or makes pods.
    `kubelet` is what the nodes serve; without it they have logs and ports for nobody.
    """

    def __init__(
        self,
        *,
        controllers: bool = True,
        nodes: int = 2,
        kubelet: Kubelet | None = None,
        find: Callable[[str], Path] = find_program,
    ) -> None:
        names = ("etcd", "kube-apiserver", *(CONTROLLERS if controllers else ()))
        self._programs = {name: find(name) for name in names}  # builds, outside of any loop
        self._nodes = nodes if controllers else 0
        self._kubelet = kubelet
        self._authority = Authority()
        self._folder = Path()
        self._layout: arguments.Layout | None = None
        self._children: dict[str, Child] = {}
        self._watchdog: Watchdog | None = None
        self._tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """`https://127.0.0.1:PORT`, the same across restarts."""
        return self._at.api_url

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._at.file("admin.kubeconfig")

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self._at.file("ca.crt")

    @property
    def service_account_key(self) -> Path:
        """The private key that signs service account tokens."""
        return self._at.file("service-account.key")

    @property
    def _at(self) -> arguments.Layout:
        if self._layout is None:
            raise PeerFailed("the control plane has not been started")
        return self._layout

    def kubeconfig_for(self, user: str, *groups: str) -> Path:
        """A kubeconfig of another user, who may do what RBAC lets this name and these groups do."""
        keys = self._authority.client(user, groups)
        name = f"user-{len(list(self._folder.glob('user-*')))}.kubeconfig"
        return write_kubeconfig(self._at.file(name), self.url, self._authority.keys.certificate, user, keys)

    def serving_keys(self, *hosts: str) -> KeyPair:
        """A serving certificate that `ca_file` vouches for, for webhooks and aggregated APIs of tests."""
        return self._authority.server(*hosts)

    async def start(self) -> None:
        """Starts everything and waits until the API server is ready. Another program may take one of our ports between
        choosing and using it, so that is tried again."""
        for attempt in range(3):
            try:
                await self._start()
                return
            except PeerFailed as error:
                await self.stop()
                if attempt == 2 or "address already in use" not in str(error):
                    raise
            except BaseException:
                await self.stop()
                raise

    async def stop(self) -> None:
        """Stops everything and removes its folder. May be called twice."""
        for name in (*CONTROLLERS, "kube-apiserver", "etcd"):
            if (child := self._children.pop(name, None)) is not None:
                # Its state goes with the folder, so nothing is gained by letting it finish.
                await child.kill()
        if self._watchdog is not None:
            await asyncio.to_thread(self._watchdog.end)
            self._watchdog = None
        if self._layout is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._layout = None

    async def kill_apiserver(self) -> None:
        """SIGKILL to kube-apiserver: connections and watches are cut, etcd keeps what was written."""
        await self._children["kube-apiserver"].kill()

    async def start_apiserver(self) -> None:
        """Starts kube-apiserver again, on the same port with the same data, and waits until it is ready."""
        self._children["kube-apiserver"].start()
        await self._ready()

    async def restart_apiserver(self) -> None:
        """Kills and starts kube-apiserver."""
        await self.kill_apiserver()
        await self.start_apiserver()

    async def forget_history(self) -> None:
        """Compacts etcd, and starts kube-apiserver again, whose watch cache then begins now: older versions are gone."""
        revision = int((await self.get("/api/v1/namespaces"))["metadata"]["resourceVersion"])
        compaction = {"revision": str(revision), "physical": True}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._at.etcd_url}/v3/kv/compaction", json=compaction) as response,
        ):
            if response.status != 200:
                raise PeerFailed(f"etcd did not compact: {response.status} {await response.text()}")
        await self.restart_apiserver()

    @contextlib.asynccontextmanager
    async def frozen(self, program: str = "kube-apiserver") -> AsyncIterator[None]:
        """A program that hangs for as long as the block lasts: connections stay open and nothing is answered."""
        self._children[program].send(signal.SIGSTOP)
        try:
            yield
        finally:
            self._children[program].send(signal.SIGCONT)

    async def nodes_ready(self, within: float = START_TIMEOUT) -> None:
        """Waits until every simulated node is Ready, so that workloads can roll out."""

        async def condition() -> bool:
            items = (await self.get("/api/v1/nodes"))["items"]
            conditions = [c for node in items for c in node["status"].get("conditions", ())]
            ready = [c for c in conditions if c["type"] == "Ready" and c["status"] == "True"]
            return len(ready) >= self._nodes

        await self.wait_until(condition, "nodes are ready", within)

    async def service_account_ready(self, namespace: str, within: float = 30) -> None:
        """Waits for the `default` account that the controllers make, without which a namespace takes no pods."""

        async def condition() -> bool:
            status, _ = await self._request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
            return status == 200

        await self.wait_until(condition, f"namespace {namespace} has its default service account", within)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], what: str, within: float = 30) -> None:
        """Waits for any condition; raises PeerFailed naming `what`, with the logs, when a program ends or time is up."""
        await until(condition, what, self._running(), within)

    def pid(self, program: str) -> int | None:
        """The process id of `etcd`, `kube-apiserver`... while it runs, to measure it."""
        child = self._children.get(program)
        return child.pid if child is not None else None

    async def request_counts(self) -> Counter[Request]:
        """Requests that the API server answered since it started, by verb and resource."""
        status, body = await self._request("GET", "/metrics")
        if status != 200:
            raise PeerFailed(f"GET /metrics: {status}")
        return request_counts(body.decode())

    async def get(self, path: str, accept: str = "application/json") -> Any:
        """The decoded JSON that GET of this path answers; raises PeerFailed with what it says unless it is 200."""
        status, body = await self._request("GET", path, accept=accept)
        return _decoded("GET", path, status, body)

    async def send(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The decoded answer of a write, as the administrator; raises PeerFailed unless it succeeded."""
        status, answer = await self._request(method, path, body=body, content_type=content_type)
        return _decoded(method, path, status, answer)

    def _running(self) -> Sequence[Child]:
        return tuple(self._children.values())

    async def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="trueup-peers-"))
        self._layout = arguments.Layout(self._folder, *free_ports(4))
        self._watchdog = Watchdog(self._folder)
        self._write_files(self._at)
        for name in self._programs:
            self._add(name)
        for name in ("etcd", "kube-apiserver"):
            self._children[name].start()
        await self._ready()
        for name in CONTROLLERS:
            if name in self._children:
                self._children[name].start()
        for number in range(self._nodes):
            name = f"node-{number}"
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
            await self.send("POST", "/api/v1/nodes", node)

    async def _ready(self) -> None:
        async def condition() -> bool:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                status, _ = await self._request("GET", "/readyz")
                return status == 200
            return False

        children = [self._children["etcd"], self._children["kube-apiserver"]]
        await until(condition, "kube-apiserver is ready", children, START_TIMEOUT)

    def _write_files(self, at: arguments.Layout) -> None:
        ca = self._authority.keys
        ca.write(at.folder, "ca")
        self._authority.server("127.0.0.1", "localhost", "kubernetes.default.svc").write(at.folder, "apiserver")
        self._authority.server(arguments.HOST).write(at.folder, "kubelet")
        self._authority.client("kube-apiserver-kubelet-client", ADMINISTRATORS).write(at.folder, "kubelet-client")
        private, public = service_account_keys()
        KeyPair(public, private).write(at.folder, "service-account")
        at.file("service-account.pub").write_bytes(public)
        administrator = self._authority.client("kubernetes-admin", ADMINISTRATORS)
        certificate, key = administrator.write(at.folder, "admin")
        write_kubeconfig(self.kubeconfig, at.api_url, ca.certificate, "kubernetes-admin", administrator)
        for name in CONTROLLERS:
            keys = self._authority.client(f"system:{name}", ADMINISTRATORS)
            write_kubeconfig(at.file(f"{name}.kubeconfig"), at.api_url, ca.certificate, f"system:{name}", keys)
        self._tls = ssl.create_default_context(cafile=str(at.file("ca.crt")))
        self._tls.load_cert_chain(certificate, key)

    def _add(self, name: str) -> None:
        at, program = self._at, self._programs[name]
        kubeconfig = at.file(f"{name}.kubeconfig")
        match name:
            case "etcd":
                options = arguments.etcd(at)
            case "kube-apiserver":
                options = arguments.kube_apiserver(at, kubelet=self._kubelet is not None)
            case "kube-controller-manager":
                options = arguments.kube_controller_manager(at, kubeconfig)
            case "kube-scheduler":
                options = arguments.kube_scheduler(kubeconfig)
            case "kwok":
                configs = sorted(program.parent.glob("*.yaml"))
                if self._kubelet is not None:
                    configs.append(self._kubelet.write(at.folder))
                options = arguments.kwok(at, kubeconfig, configs, kubelet=self._kubelet is not None)
            case _:
                raise ValueError(f"no command line is known for {name}")
        assert self._watchdog is not None
        self._children[name] = Child(program, options, at.file(f"{name}.log"), self._watchdog)

    async def _request(
        self, method: str, path: str, *, body: Any = None, content_type: str = "", accept: str = "application/json"
    ) -> tuple[int, bytes]:
        headers = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        data = msgspec.json.encode(body) if body is not None else None
        assert self._tls is not None
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls), timeout=timeout) as session,
            session.request(method, self.url + path, headers=headers, data=data) as response,
        ):
            return response.status, await response.read()


def _decoded(method: str, path: str, status: int, body: bytes) -> Any:
    if not 200 <= status < 300:
        raise PeerFailed(f"{method} {path}: {status} {body[:500].decode(errors='replace')}")
    return msgspec.json.decode(body)
