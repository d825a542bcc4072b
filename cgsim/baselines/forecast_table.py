"""How well forecasters do on frames that they have not seen, over a grid of settings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cgsim.baselines.forecast import Cell, ForecastConfig, Forecaster, fit_forecaster
from cgsim.io import read_json, write_atomic_json
from cgsim.mapping.trajectory import MappedTrajectory

HISTORIES = (1, 5, 10)
LEADS = (1, 5, 15, 60, 120)
KINDS: tuple[Cell, ...] = ("static", "linear", "feed_forward", "lstm", "gru")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_BLOCKS = 10


@dataclass(frozen=True)
class TimeSplit:
    """Early frames to train on, and late ones to forecast.

    Parameters
    ----------
    n_train
        Frames 0 to ``n_train - 1`` are for training.
    targets
        [n_targets], increasing: frames to forecast.
    """

    n_train: int
    targets: np.ndarray


def split_in_time(
    n_frames: int, *, reach: int, fraction: float = 0.2, n_targets: int = 500
) -> TimeSplit:
    """Hold out the last part, with a gap before it, so that no frame seen was trained on.

    Parameters
    ----------
    reach
        Longest history plus longest lead: between the last training frame and the first one that is
        seen in a test lie that many frames.
    fraction
        Of the frames, held out; the gap is taken from them.
    n_targets
        At most so many, evenly spaced.

    Raises
    ------
    ValueError
        If less than one window is left on a side.
    """
    n_train = round(n_frames * (1 - fraction))
    first = n_train + 2 * reach - 1
    if n_train < reach or first >= n_frames:
        raise ValueError(
            f"{n_frames} frames: {n_train} to train on and {n_frames - n_train} held out are too "
            f"few for a history plus lead of {reach} and a gap as long"
        )
    spaced = np.linspace(first, n_frames - 1, min(n_targets, n_frames - first))
    return TimeSplit(n_train, np.unique(spaced.round().astype(np.int64)))


def forecast_rmsd(
    forecaster: Forecaster, trajectory: MappedTrajectory, targets: np.ndarray
) -> np.ndarray:
    """Root-mean-square deviation over the beads of each forecast frame, [n_targets] nm.

    ``sqrt(mean_i |x_i - x_i'|^2)``, without another superposition.

    Raises
    ------
    ValueError
        If a target has no full history before it.
    """
    config = forecaster.config
    start = targets - config.reach + 1
    if start.min() < 0 or targets.max() >= trajectory.n_frames:
        raise ValueError(
            f"{trajectory.name}: frames {targets.min()} to {targets.max()} cannot be forecast from "
            f"{trajectory.n_frames} frames with a history of {config.history} and a lead of "
            f"{config.lead}"
        )
    pos = trajectory.pos
    history = np.asarray(pos[start[:, None] + np.arange(config.history)], dtype=np.float64)
    error = forecaster.predict(history) - pos[targets]
    return np.sqrt((error**2).sum(axis=2).mean(axis=1))


def forecast_grid(
    *,
    kinds: Sequence[Cell] = KINDS,
    histories: Sequence[int] = HISTORIES,
    leads: Sequence[int] = LEADS,
) -> Iterator[ForecastConfig]:
    """Every setting of the table; a static forecaster has neither history nor decomposition."""
    for lead, kind in product(leads, kinds):
        if kind == "static":
            yield ForecastConfig(kind, history=1, lead=lead)
            continue
        for history, decomposed in product(histories, (False, True)):
            yield ForecastConfig(kind, decomposed=decomposed, history=history, lead=lead)


def forecast_table(
    trajectory: MappedTrajectory,
    folder: str | Path,
    *,
    grid: Iterable[ForecastConfig] | None = None,
    fraction: float = 0.2,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Train and score every forecaster of a grid on one trajectory, all on the same frames.

    Each row is a file in ``folder``; a second call makes only what is missing.

    Parameters
    ----------
    trajectory
        As it is to be forecast (see `cgsim.baselines.forecast.superposed`).
    grid
        By default `forecast_grid`.
    fraction
        Of the frames, held out at the end.
    seed
        Of every forecaster.

    Returns
    -------
    list
        One dict per forecaster: its ``config``; ``rmsd``, mean, standard deviation and quantiles on
        the held-out frames, nm; ``above_static``, the mean difference from the static forecaster on
        the same frames, and its standard error over ten blocks of time, nm.

    Raises
    ------
    ValueError
        If the trajectory is too short, or the folder holds rows of another trajectory or seed.
    """
    configs = list(forecast_grid() if grid is None else grid)
    reach = max(c.history for c in configs) + max(c.lead for c in configs)
    split = split_in_time(trajectory.n_frames, reach=reach, fraction=fraction)
    origin = {
        "name": trajectory.name,
        "n_frames": trajectory.n_frames,
        "n_beads": trajectory.n_beads,
        "n_train": split.n_train,
        "n_targets": len(split.targets),
        "seed": seed,
    }
    rows = []
    for config in tqdm(configs, unit="forecaster", desc=trajectory.name):
        file = Path(folder) / f"{_name(config)}.json"
        if file.exists():
            row = read_json(file)
            if row["origin"] != origin or row["config"] != asdict(config):
                raise ValueError(f"{file}: made from other data or settings; give another folder")
        else:
            row = {"origin": origin, "config": asdict(config)}
            row |= _score(trajectory, config, split, seed=seed)
            write_atomic_json(file, row)
        rows.append(row)
    return rows


def _name(config: ForecastConfig) -> str:
    scope = "atoms" if config.decomposed else "whole"
    return f"{config.kind}-{scope}-history{config.history}-lead{config.lead}"


def _score(
    trajectory: MappedTrajectory, config: ForecastConfig, split: TimeSplit, *, seed: int
) -> dict[str, Any]:
    train = trajectory.frames(0, split.n_train)
    static = fit_forecaster(train, replace(config, kind="static"), seed=seed)
    floor = forecast_rmsd(static, trajectory, split.targets)
    found = forecast_rmsd(fit_forecaster(train, config, seed=seed), trajectory, split.targets)
    blocks = [part.mean() for part in np.array_split(found - floor, N_BLOCKS) if len(part)]
    error = np.std(blocks, ddof=1) / np.sqrt(len(blocks)) if len(blocks) > 1 else 0.0
    return {
        "rmsd": {
            "mean": float(found.mean()),
            "std": float(found.std()),
            "quantiles": dict(
                zip(map(str, QUANTILES), np.quantile(found, QUANTILES).tolist(), strict=True)
            ),
        },
        "above_static": {"value": float((found - floor).mean()), "error": float(error)},
    }
