"""Which devices there are, and which of them to use."""

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

# Positions far from the origin and stiff bonds need numbers that these have not.
WITHOUT_DOUBLES = ("mps",)

Device = Literal["auto", "cpu", "cuda"]


def visible_gpus() -> list[str]:
    """GPUs that this process may use, as in ``CUDA_VISIBLE_DEVICES``."""
    import torch

    n_gpus = torch.cuda.device_count()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return chosen.split(",")[:n_gpus] if chosen else [str(i) for i in range(n_gpus)]


def choose_device(name: Device) -> str:
    """The device that PyTorch is to use; ``"auto"`` is a GPU if there is one.

    Raises
    ------
    ValueError
        If it is not there.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no CUDA device")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def check_doubles(device: str) -> None:
    """Refuse a device that has no double precision.

    Raises
    ------
    ValueError
        Naming devices that have it.
    """
    if device in WITHOUT_DOUBLES:
        raise ValueError(
            f"{device} has no double precision, in which positions are kept and factorised: move "
            "the simulator to 'cpu' or 'cuda'"
        )


def accelerator_with_doubles(name: str) -> str:
    """What Lightning is to train on; ``"auto"`` passes over what has no double precision."""
    import torch

    passed_over = torch.backends.mps.is_available() and not torch.cuda.is_available()
    return "cpu" if name == "auto" and passed_over else name


def runs_ahead(device: "torch.device") -> bool:
    """Whether the host fills a queue, and waits where it asks the device for a number."""
    return device.type == "cuda"
