"""Which objects of a namespace have a label: so that a selector need not be held against all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trueup.embedded.storage.keys import Key


class LabelIndex:
    """Keys by namespace and label."""

    def __init__(self) -> None:
        self._labels: dict[Key, Mapping[str, str]] = {}
        self._keys: dict[tuple[str, str, str], dict[Key, None]] = {}

    def set(self, key: Key, labels: Mapping[str, str]) -> None:
        """The object's labels from now on; none for an object that is gone."""
        before = self._labels.get(key, {})
        if before == labels:
            return
        for label, value in before.items():
            place = (key.namespace, label, value)
            keys = self._keys.get(place, {})
            keys.pop(key, None)
            if not keys:
                self._keys.pop(place, None)
        for label, value in labels.items():
            self._keys.setdefault((key.namespace, label, value), {})[key] = None
        if labels:
            self._labels[key] = labels
        else:
            self._labels.pop(key, None)

    def having(self, namespace: str, label: tuple[str, str]) -> Iterable[Key]:
        """Those with this label and value, as they are now."""
        return list(self._keys.get((namespace, *label), ()))
