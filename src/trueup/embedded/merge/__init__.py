"""How a write changes an object and who owns its fields then: server-side apply, updates, and the three kinds of patch.

Pure: objects in, objects out. Nothing given is changed, and what stays the same is shared with what was given.
"""

from trueup.embedded.merge.apply import apply
from trueup.embedded.merge.errors import ApplyConflict, Conflict, PatchError
from trueup.embedded.merge.json_patch import json_patch
from trueup.embedded.merge.merge_patch import merge_patch
from trueup.embedded.merge.scale import rows_for_parent, rows_for_scale
from trueup.embedded.merge.strategic import strategic_merge
from trueup.embedded.merge.track import settle_times, track_update

__all__ = [
    "ApplyConflict",
    "Conflict",
    "PatchError",
    "apply",
    "json_patch",
    "merge_patch",
    "rows_for_parent",
    "rows_for_scale",
    "settle_times",
    "strategic_merge",
    "track_update",
]
