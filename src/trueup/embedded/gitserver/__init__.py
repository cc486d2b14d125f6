"""A Git server of our own for the laptop: smart HTTP on the loopback, so that `git push` becomes a sync at once.

It speaks through git's own `upload-pack` and `receive-pack`; nothing of the protocol is re-made here. Not for a network:
it listens on 127.0.0.1 and answers to loopback names only.
"""

from trueup.embedded.gitserver.access import Guard, Right, User
from trueup.embedded.gitserver.push import PushEvent, RefUpdate
from trueup.embedded.gitserver.server import GitServer

__all__ = ["GitServer", "Guard", "PushEvent", "RefUpdate", "Right", "User"]
