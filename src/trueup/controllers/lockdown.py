"""What tenants may not decide for themselves: with whose rights their Apps are applied, and whose sources they read. Pure.

Flux's options of the same names. Where somebody else writes a namespace's Kustomizations and HelmReleases, leaving
`serviceAccountName` out would otherwise be to have the controller's rights.
"""

from __future__ import annotations

from msgspec import Struct, structs

from trueup.model.app import App
from trueup.model.errors import Terminal
from trueup.model.refs import ObjectRef

FLUX = "flux"


class AccessDenied(Terminal):
    """The resource refers to what is another namespace's."""

    reason = "AccessDenied"


class Lockdown(Struct, frozen=True, kw_only=True):
    """`default_service_account`: of each App's own namespace; empty: the controller's own rights. Applications have AppProjects instead.

    For Apps with a `kubeConfig` it is `default_kubeconfig_service_account`, of the other cluster; empty: the kubeconfig's own user.
    """

    default_service_account: str = ""
    default_kubeconfig_service_account: str = ""
    no_cross_namespace_refs: bool = False

    def applied(self, app: App) -> App:
        """With an account, if it names none."""
        name = self.default_service_account if app.target is None else self.default_kubeconfig_service_account
        if app.dialect != FLUX or not name or app.rules.service_account:
            return app
        account = f"{app.ref.namespace}:{name}"
        return structs.replace(app, rules=structs.replace(app.rules, service_account=account))

    def check(self, app: App) -> None:
        """Raises AccessDenied."""
        source = app.source
        if not self.no_cross_namespace_refs or app.dialect != FLUX or not isinstance(source, ObjectRef):
            return
        if source.namespace != app.ref.namespace:
            raise AccessDenied(
                f"can't access '{source}': cross-namespace references have been blocked",
                ref=app.ref,
                hint="have a source in the App's own namespace, or start the controller without --no-cross-namespace-refs",
            )


OPEN = Lockdown()
"""Apps decide."""
