"""Freed memory is used again instead of being given back to the system."""

import platform
import subprocess
import sys

import pytest

# Faults of pages while twenty arrays of 2 MB, as a step has them, are made and dropped over and
# over: 10,000 each time if they are given back, once in all if they are kept.
FAULTS = """
import resource, sys
import torch
from cgsim.hardware.allocator import keep_freed_memory
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    assert keep_freed_memory() and keep_freed_memory()
[torch.ones(2**19) for _ in range(20)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    [torch.ones(2**19) for _ in range(20)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    command = [sys.executable, "-c", FAULTS, mode]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is another one")
def test_memory_is_used_again() -> None:
    # Huge pages make fewer of them, at any time.
    assert faults("kept") < 0.5 * faults("as it is")
