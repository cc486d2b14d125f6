"""Pod addresses: one each out of 10.244.0.0/16, given back when the pod is gone. Memory alone; rebuilt from pods that have one."""

from __future__ import annotations

from ipaddress import IPv4Network

NETWORK = IPv4Network("10.244.0.0/16")


class Addresses:
    """Gives the same pod (by uid) the same address however often it asks."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._used: set[str] = set()
        self._next = 2

    def keep(self, uid: str, address: str) -> None:
        """Remembers what a pod's status says already."""
        self._of[uid] = address
        self._used.add(address)

    def give(self, uid: str) -> str:
        """The pod's address; a new one for a new pod."""
        if (known := self._of.get(uid)) is not None:
            return known
        size = NETWORK.num_addresses - 2
        for _ in range(size):
            address = str(NETWORK[self._next])
            self._next = self._next + 1 if self._next < size else 2
            if address not in self._used:
                self.keep(uid, address)
                return address
        raise RuntimeError(f"all {size} pod addresses of {NETWORK} are in use: delete pods")

    def take_back(self, uid: str) -> None:
        if (address := self._of.pop(uid, None)) is not None:
            self._used.discard(address)
