"""Ideal (Rouse) chains with exact kinetics, sampled without any time-step error."""

from collections.abc import Callable

import numpy as np
import pytest

from cgsim.evaluate import Comparison, Ensemble, Scoring, compare

MakeChain = Callable[..., Ensemble]
SIZES = (0.8, 1.0, 1.3, 1.6)


def rouse_chain(
    name: str = "chain",
    *,
    n_beads: int = 8,
    n_frames: int = 400,
    n_replicas: int = 2,
    bond: float = 1.0,
    rate: float = 1.0,
    seed: int = 0,
) -> Ensemble:
    """Every Rouse mode is an exact Ornstein-Uhlenbeck process; `rate` is the spring rate, 1/ps."""
    rng = np.random.default_rng(seed)
    laplacian = 2 * np.eye(n_beads) - np.eye(n_beads, k=1) - np.eye(n_beads, k=-1)
    laplacian[0, 0] = laplacian[-1, -1] = 1
    stiffness, modes = np.linalg.eigh(laplacian)
    stiffness, modes = stiffness[1:], modes[:, 1:]
    decay = np.exp(-rate * stiffness)[:, None]
    spread = (bond / np.sqrt(3 * stiffness))[:, None]
    amplitude = spread * rng.normal(size=(n_replicas, n_beads - 1, 3))
    frames = []
    for _ in range(n_frames):
        frames.append(np.einsum("im,rmc->ric", modes, amplitude))
        noise = rng.normal(size=amplitude.shape)
        amplitude = decay * amplitude + spread * np.sqrt(1 - decay**2) * noise
    xyz = np.stack(frames, axis=1)
    return Ensemble(
        name=name,
        xyz=tuple(xyz),
        frame_interval=1.0,
        bead_mass=np.ones(n_beads),
        edge_index=np.stack([np.arange(n_beads - 1), np.arange(1, n_beads)]),
    )


@pytest.fixture(scope="session")
def make_chain() -> MakeChain:
    return rouse_chain


def rouse_chains(seed: int, *, n_frames: int = 400, scale: float = 1.0) -> list[Ensemble]:
    """Four chains of different size and pace."""
    return [
        rouse_chain(
            f"chain-{k}", bond=scale * size, rate=1 / size, n_frames=n_frames, seed=seed + k
        )
        for k, size in enumerate(SIZES)
    ]


@pytest.fixture(scope="session")
def make_chains() -> Callable[..., list[Ensemble]]:
    return rouse_chains


@pytest.fixture(scope="session")
def reference() -> list[Ensemble]:
    return rouse_chains(0)


@pytest.fixture(scope="session")
def comparison(reference: list[Ensemble]) -> Comparison:
    """Chains that are too large, against three yardsticks of the right size."""
    return compare(
        reference,
        rouse_chains(100, scale=1.5),
        yardsticks={
            "floor": rouse_chains(200),
            "md_equal_time": rouse_chains(300, n_frames=12),
            "md_10x_shorter": rouse_chains(200, n_frames=40),
        },
        scoring=Scoring(n_bootstrap=60),
    )
