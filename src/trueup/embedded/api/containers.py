"""Which container of a pod a request means: one that it names, or the only one. As apiserver's pod strategy chooses it."""

from __future__ import annotations

from trueup.embedded.api import refusals
from trueup.model.manifest import Manifest, name_of, spec_of

_PARTS = ("initContainers", "containers", "ephemeralContainers")


def chosen(pod: Manifest, wanted: str) -> str:
    """The container's name; raises 400 for one that is not there, or when there are several to choose from."""
    every = [str(each["name"]) for part in _PARTS for each in spec_of(pod).get(part) or ()]
    if wanted:
        if wanted not in every:
            raise refusals.bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
        return wanted
    main = list(spec_of(pod).get("containers") or ())
    if len(main) == 1:
        return str(main[0]["name"])
    raise refusals.bad_request(
        f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(every)}]"
    )
