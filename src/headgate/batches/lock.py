"""One process at a time: a lock of the operating system on an open file.

The system itself gives it up when the process ends, however it ends. The byte that is locked lies far behind the file's end,
because Windows lets nobody read what is locked. It does not know what the file is for.
"""

import os
import sys
from contextlib import suppress

FAR = 1 << 30
"""Offset of the byte that is locked."""

if sys.platform == "win32":
    import msvcrt

    def lock(file: int) -> bool:
        """Lock an open file for this process. False: another one has it."""
        os.lseek(file, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(file: int) -> None:
        """Let others have it."""
        os.lseek(file, FAR, os.SEEK_SET)
        with suppress(OSError):
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def lock(file: int) -> bool:
        """Lock an open file for this process. False: another one has it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(file: int) -> None:
        """Let others have it."""
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
