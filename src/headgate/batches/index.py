"""Where each item's newest result stands in the results file, in a few bytes an item.

A batch may have millions of items, so the index holds arrays of numbers and no objects: 17 bytes an item. A result is found
by its item's content, at the item's own place or at another one: who puts a line at the top of an input does not pay for the
rest again. It does not know the file, nor what a result says beside its status.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterator

from headgate.core.words import RUN_STATUSES, RunStatus

NONE = 255
"""In place of a status: there is no result."""
MOST_ITEMS = 100_000_000
"""A line that names a later item is not one of ours."""


class Index:
    """Results by the place of their items, from 1."""

    def __init__(self) -> None:
        self._offsets = array("Q", [0])
        self._digests = array("Q", [0])
        self._statuses = bytearray([NONE])
        self._elsewhere: defaultdict[int, list[int]] = defaultdict(list)
        """Offsets of results that may go to another place than their own, by digest."""
        self._open = False
        """A place has been found whose content is another one, so all later results are in `_elsewhere`."""

    def __len__(self) -> int:
        """The last place that was ever noted."""
        return len(self._offsets) - 1

    def note(self, item: int, offset: int, digest: str, status: RunStatus) -> None:
        """A newer result of this item stands at this byte; one of another content is displaced."""
        while len(self) < item:
            self._offsets.append(0)
            self._digests.append(0)
            self._statuses.append(NONE)
        new = int(digest, 16)
        if not self._open and self.has(item) and self._digests[item] != new:
            self._elsewhere[self._digests[item]].append(self._offsets[item])
        self._offsets[item] = offset
        self._digests[item] = new
        self._statuses[item] = RUN_STATUSES.index(status)

    def has(self, item: int) -> bool:
        """Whether there is a result at this place, of whatever content."""
        return item < len(self._statuses) and self._statuses[item] != NONE

    def status(self, item: int) -> RunStatus:
        """The status of the result at this place; only where there is one."""
        return RUN_STATUSES[self._statuses[item]]

    def offset(self, item: int) -> int:
        """Where the result at this place begins; only where there is one."""
        return self._offsets[item]

    def find(self, item: int, digest: str) -> int | None:
        """Where a result of this content stands, if there is one that no other item has. Ask for items in order.

        That of the item's own place goes first.
        """
        wanted = int(digest, 16)
        if self.has(item) and self._digests[item] == wanted:
            if self._open and self._offsets[item] in self._elsewhere.get(wanted, ()):
                self._elsewhere[wanted].remove(self._offsets[item])
            return self._offsets[item]
        if not self._open:
            self._open = True
            for place in range(len(self), item - 1, -1):
                if self.has(place):
                    self._elsewhere[self._digests[place]].append(self._offsets[place])
        offsets = self._elsewhere.get(wanted)
        return offsets.pop() if offsets else None

    def places(self) -> Iterator[int]:
        """The places that have a result, in order."""
        return (place for place in range(1, len(self._statuses)) if self._statuses[place] != NONE)

    def homeless(self, total: int) -> list[int]:
        """Where results stand whose content is that of no item any more, in the order of the file.

        Args:
            total: of the items that there are; what stands at a later place has none.
        """
        spare = {digest: offsets for digest, offsets in self._elsewhere.items() if offsets}
        late = [place for place in range(total + 1, len(self) + 1) if self.has(place)]
        if not spare and not late:
            return []
        lost = {offset for offsets in spare.values() for offset in offsets}
        lost.update(self._offsets[place] for place in late)
        kept = {self._digests[place] for place in self.places() if place <= total}
        by_offset = {offset: digest for digest, offsets in spare.items() for offset in offsets}
        by_offset |= {self._offsets[place]: self._digests[place] for place in late}
        return sorted(offset for offset in lost if by_offset[offset] not in kept)
