"""Memory that is freed and asked for again at every step stays with the process."""

import ctypes
import platform
from functools import cache

# Names and numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER_TRIMMED = 2**31 - 1
_LARGEST_FROM_HEAP = 2**30
_GROWTH = 2**26


@cache
def keep_freed_memory() -> bool:
    """Let the C library keep what PyTorch frees, for the whole process.

    By default glibc gives arrays of a megabyte and more back to the system and asks for them again:
    the edges of one step of 40 chains of 40 beads cost 40,000 page faults, which are half of its
    time. What is kept is used again, so that the peak is what it was; it goes back to the system
    when the process ends.

    Returns
    -------
    Whether it was done: not where the C library is another one (macOS, musl).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {
        _MMAP_THRESHOLD: _LARGEST_FROM_HEAP,
        _TRIM_THRESHOLD: _NEVER_TRIMMED,
        _TOP_PAD: _GROWTH,
    }
    return all([bool(mallopt(name, value)) for name, value in settings.items()])
