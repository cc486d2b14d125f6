"""The embedded Kubernetes as one process: storage, API and controllers wired together, served over TLS.

`python -m trueup.embedded` runs it until a signal. State lies in one folder: the objects' database, the authority's
certificates and keys, and the kubeconfig that lets its reader do everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web
from msgspec import Struct

from trueup.embedded import tlsbuffers
from trueup.embedded.api import bootstrap
from trueup.embedded.api.addresses import ServiceAddresses
from trueup.embedded.api.admission import Admission
from trueup.embedded.api.apiservices import ApiServices
from trueup.embedded.api.builtin import builtin_kinds
from trueup.embedded.api.crd.controller import DefinitionController
from trueup.embedded.api.deletion import Deletion
from trueup.embedded.api.discovery import Discovery
from trueup.embedded.api.edge import Edge
from trueup.embedded.api.escalation import EscalationGuard
from trueup.embedded.api.expressions import Expressions, NoExpressions
from trueup.embedded.api.fields import Fields
from trueup.embedded.api.http import Front
from trueup.embedded.api.kinds import Registry, read_data
from trueup.embedded.api.local import LocalClient
from trueup.embedded.api.metrics import Metrics
from trueup.embedded.api.openapi import OpenApi
from trueup.embedded.api.openapi_v2.document import OpenApiV2
from trueup.embedded.api.pages import Pages
from trueup.embedded.api.reviews import Reviews
from trueup.embedded.api.standins import StandIn, StandIns
from trueup.embedded.api.subresources import Subresources
from trueup.embedded.api.verbs import Verbs
from trueup.embedded.api.webhooks import AdmissionWebhooks
from trueup.embedded.api.writes import Writes
from trueup.embedded.auth.aggregation import aggregate
from trueup.embedded.auth.authenticator import Authenticator
from trueup.embedded.auth.authorizer import Authorizer
from trueup.embedded.auth.certificates import Authority, KeyPair, expires_soon, write_private
from trueup.embedded.auth.identity import MASTERS, system
from trueup.embedded.auth.kubeconfig import kubeconfig, write_kubeconfig
from trueup.embedded.auth.tokens import Reference, Tokens
from trueup.embedded.collector import tokensecrets
from trueup.embedded.driving import ClockDoor, Driver, kept_clock
from trueup.embedded.storage.journal import MemoryJournal, SqliteJournal
from trueup.embedded.storage.store import Store
from trueup.embedded.workloads.logs import SimulatedLogs
from trueup.embedded.workloads.run import make_runtime
from trueup.model.manifest import Manifest, name_of, namespace_of, uid_of

log = structlog.get_logger(__name__)

ADMINISTRATOR = "trueup-admin"
SECRET_TOKEN_SECONDS = 100 * 365 * 86_400
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Settings(Struct, frozen=True, kw_only=True):
    """How to run. `data_dir` holds certificates and, unless `in_memory`, the objects; port 0 takes a free one. `drive_time`
    opens the door by which administrators move the clock (`driving`)."""

    data_dir: Path
    kubeconfig: Path
    host: str = "127.0.0.1"
    port: int = 0
    in_memory: bool = False
    workloads: bool = True
    nodes: int = 1
    stand_ins: tuple[StandIn, ...] = ()
    drive_time: bool = False


class Cluster:
    """A running embedded Kubernetes; make with `running`."""

    def __init__(self, settings: Settings, store: Store, expressions: Expressions) -> None:
        self.settings = settings
        self.store = store
        self.url = ""
        folder = settings.data_dir / "pki"
        self.authority = Authority.in_folder(folder)
        self._serving, self._administrator = _kept_pairs(self.authority, folder, settings.host)
        self.tokens = Tokens.in_folder(folder)
        self.registry = Registry(builtin_kinds())
        self.fields = Fields()
        self.metrics = Metrics()
        self.authorizer = Authorizer(store)
        authenticator = Authenticator(store, self.tokens, {})
        webhooks = AdmissionWebhooks(store, self.registry, self.fields, expressions, self.authorizer.decide)
        admission = Admission(store, ServiceAddresses(store), webhooks, EscalationGuard(self.authorizer))
        self.clock = kept_clock(None if settings.in_memory else settings.data_dir / "clock")
        self.writes = Writes(store, self.registry, self.fields, admission, self.clock.now, expressions)
        self.removal = Deletion(store, admission, self.clock.now)
        self.definitions = DefinitionController(store, self.registry, self.writes, self.removal, self.fields)
        self._api_services = ApiServices(store, self.client("apiserver", "kube-apiserver"))
        self.subresources = Subresources(
            store,
            self.registry,
            self.writes,
            self.removal,
            self.fields,
            self.tokens,
            StandIns(settings.stand_ins),
        )
        self._verbs = Verbs(
            store,
            self.registry,
            self.writes,
            self.removal,
            self.fields,
            Reviews(self.authorizer, authenticator),
            self.subresources,
        )
        self._is_ready = False
        pages = Pages(
            Discovery(self.registry),
            OpenApi(self.registry),
            OpenApiV2(self.registry),
            self.metrics,
            self.tokens,
            _version(),
            lambda: self._is_ready,
        )
        self.driver = Driver(self.clock)
        others = ClockDoor(pages, self.driver) if settings.drive_time else pages
        self._front = Front(self._verbs, others, authenticator, self.authorizer, self.metrics)
        self._webhooks = webhooks

    def client(self, component: str, manager: str = "kube-controller-manager") -> LocalClient:
        """A client for a controller of this process, which acts as `system:{component}`."""
        return LocalClient(
            self.store, self.registry, self.writes, self.removal, self.fields, system(component), manager
        )

    def kubeconfig(self) -> bytes:
        """The administrator's kubeconfig."""
        return kubeconfig(self.url, self.authority.certificate, self._administrator)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens, bootstraps and runs the API's own controllers for the length of the block."""
        tlsbuffers.shrink()
        server = Edge(self._front.handle)
        runner = web.ServerRunner(server, handler_cancellation=True, shutdown_timeout=2.0)
        await runner.setup()
        try:
            site = web.TCPSite(
                runner,
                self.settings.host,
                self.settings.port,
                ssl_context=self._tls(),
                backlog=1024,
                reuse_address=True,
            )
            await site.start()
            port = runner.addresses[0][1]
            host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
            self.url = f"https://{host}:{port}"
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.definitions.run(), name="custom-resource-definitions")]
                try:
                    await bootstrap.ensure(self.client("apiserver", "kube-apiserver"))
                    tasks.append(group.create_task(self._api_services.run(), name="api-services"))
                    if self.settings.workloads:
                        tasks.append(group.create_task(self._run_controllers(), name="controllers"))
                        roles = self.client("clusterrole-aggregation-controller", "clusterrole-aggregation-controller")
                        tasks.append(group.create_task(aggregate(roles), name="aggregated-roles"))
                    write_kubeconfig(self.settings.kubeconfig, self.kubeconfig())
                    self._is_ready = True
                    yield
                finally:
                    self._is_ready = False
                    for task in tasks:
                        task.cancel()
        finally:
            self._verbs.stop()
            await runner.cleanup()
            await self._webhooks.close()

    async def _run_controllers(self) -> None:
        """Garbage collection, namespaces and the simulated workloads, until cancelled."""
        self.subresources.logs.source = SimulatedLogs()
        version = str(_version()["gitVersion"])
        root_ca = self.authority.certificate.decode()
        client = self.client("kube-controller-manager")
        nodes = self.settings.nodes
        runtime = make_runtime(client, clock=self.clock, nodes=nodes, root_ca=root_ca, version=version)
        runtime.add(tokensecrets.controller(self._secret_token, root_ca))
        self.driver.runtime = runtime
        await runtime.run()

    def _secret_token(self, account: Manifest, secret: Manifest) -> str:
        """The token of an account that a Secret holds."""
        bound = {"secret": Reference(name_of(secret), uid_of(secret))}
        about = Reference(name_of(account), uid_of(account))
        return self.tokens.issue(namespace_of(secret), about, SECRET_TOKEN_SECONDS, bound=bound)[0]

    def _tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        folder = self.settings.data_dir / "pki"
        context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
        context.load_verify_locations(cadata=self.authority.certificate.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context


@contextlib.asynccontextmanager
async def running(settings: Settings, expressions: Expressions | None = None) -> AsyncIterator[Cluster]:
    """An embedded Kubernetes for the length of the block: its API, its controllers, its workloads. `expressions` evaluates
    rules in CEL; without it nothing does, and answers say so."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal = MemoryJournal() if settings.in_memory else SqliteJournal(settings.data_dir / "objects.sqlite")
    store = await Store.open(journal)
    try:
        cluster = Cluster(settings, store, expressions or NoExpressions())
        async with cluster.serving():
            log.info("embedded kubernetes serves", url=cluster.url, kubeconfig=str(settings.kubeconfig))
            yield cluster
    finally:
        await store.close()


def _kept_pairs(authority: Authority, folder: Path, host: str) -> tuple[KeyPair, KeyPair]:
    """The serving and the administrator's pairs: those of the folder while they last."""
    hosts = dict.fromkeys(
        (
            host,
            "127.0.0.1",
            "::1",
            "localhost",
            "10.96.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        )
    )
    made: dict[str, Callable[[], KeyPair]] = {
        "apiserver": lambda: authority.server(list(hosts)),
        "admin": lambda: authority.client(ADMINISTRATOR, [MASTERS]),
    }
    pairs = []
    for name, make in made.items():
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        if not (certificate.is_file() and key.is_file()) or expires_soon(certificate.read_bytes()):
            pair = make()
            write_private(key, pair.key)
            write_private(certificate, pair.certificate)
        pairs.append(KeyPair(certificate.read_bytes(), key.read_bytes()))
    return pairs[0], pairs[1]


def _version() -> dict[str, Any]:
    """The Kubernetes version that the schemas and the behaviour follow, as `/version` tells it."""
    version = read_data("version.json.gz")
    return {
        "major": version["major"],
        "minor": version["minor"],
        "emulationMajor": version["major"],
        "emulationMinor": version["minor"],
        "minCompatibilityMajor": version["major"],
        "minCompatibilityMinor": str(int(version["minor"]) - 1),
        "gitVersion": version["gitVersion"],
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none: Trueup's embedded Kubernetes",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
    }
