"""Which devices there are."""

import os


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as in ``CUDA_VISIBLE_DEVICES``."""
    import torch

    n_gpus = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return chosen.split(",")[:n_gpus] if chosen else [str(i) for i in range(n_gpus)]
