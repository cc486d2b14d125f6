"""What takes the steps of the App loop at one site: the same parts everywhere, each with its own cluster in its shell."""

from __future__ import annotations

from collections.abc import Callable

from trueup.controllers.deleting import Deleter
from trueup.controllers.endings import Endings
from trueup.controllers.healing import Healer
from trueup.controllers.reconciling import Reconciler
from trueup.controllers.releases.charts import ChartObjects
from trueup.controllers.releases.healing import ReleaseHealer
from trueup.controllers.releases.reconciling import ReleaseReconciler
from trueup.controllers.releases.running import RunningActions
from trueup.controllers.shell import AppShell
from trueup.model.refs import ObjectRef
from trueup.sync.applier import Applier


class Hands:
    """`home` reads the controller's own cluster, where the resources of all Apps are."""

    def __init__(
        self,
        shell: AppShell,
        home: Applier,
        running: RunningActions,
        charts: ChartObjects,
        look_later: Callable[[ObjectRef, float], None],
    ) -> None:
        self.shell = shell
        self.reconciler = Reconciler(shell, look_later)
        self.endings = Endings(shell, look_later)
        self.healer = Healer(shell, look_later)
        self.releases = ReleaseReconciler(shell, running, charts, look_later)
        self.release_healer = ReleaseHealer(shell, self.healer, self.releases.work_of)
        self.deleter = Deleter(shell, home, look_later, self.releases.uninstall)
