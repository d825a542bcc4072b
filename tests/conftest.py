"""One thread and fixed seeds for every test, so that results do not depend on luck."""

import os

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["OPENMM_CPU_THREADS"] = "1"

from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest
import torch

torch.set_num_threads(1)
hypothesis.settings.register_profile("cgsim", deadline=None, derandomize=True)
hypothesis.settings.load_profile("cgsim")


@pytest.fixture(autouse=True)
def _reproducible() -> Iterator[None]:
    """Seed the global generators before a test; restore torch's default dtype after it."""
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
