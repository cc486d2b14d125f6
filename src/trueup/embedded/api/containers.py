"""Which container of a pod a request means: one that it names, or the only one. As apiserver's pod strategy chooses it."""

from __future__ import annotations

from trueup.embedded.api import refusals
from trueup.model.manifest import Manifest, name_of, spec_of

_PARTS = ("containers", "initContainers", "ephemeralContainers")


def chosen(pod: Manifest, wanted: str) -> str:
    """The container's name; raises 400 for one that is not there, or when there are several to choose from."""
    main, init, ephemeral = ([each["name"] for each in spec_of(pod).get(part) or ()] for part in _PARTS)
    if wanted:
        if wanted not in (*main, *init, *ephemeral):
            raise refusals.bad_request(f"container {wanted} is not valid for pod {name_of(pod)}")
        return wanted
    if len(main) == 1:
        return str(main[0])
    said = f"a container name must be specified for pod {name_of(pod)}, choose one of: [{' '.join(main)}]"
    for names, what in ((init, "init"), (ephemeral, "ephemeral")):
        if names:
            said += f" or one of the {what} containers: [{' '.join(names)}]"
    raise refusals.bad_request(said)
