"""A process that writes to a ledger under load until it is killed.

Run with the ledger's path and a starting number; prints, for every piece of load, how many requests it has put so far
and when (in monotonic seconds).
"""

import os
import sys
import time
from pathlib import Path

from ledger_samples import MODELS, realistic
from msgspec.structs import replace

from headgate.core.types import Message, Turn
from headgate.ledger.writer import LedgerWriter

PIECE = 20


def main():
    writer = LedgerWriter(Path(sys.argv[1]), version="test")
    writer.start()
    writer.describe(MODELS)
    (template,) = realistic(1, attempts=2)
    count = 0
    while True:
        for _ in range(PIECE):
            name = f"{count:06}"
            writer.put(replace(template, id=name, turn=Turn("", (Message("user", name),))))
            count += 1
        os.write(1, f"{count} {time.monotonic()}\n".encode())
        time.sleep(0.005)  # the load: some 3,000 requests a second


main()
