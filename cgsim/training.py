"""Train a simulator: Lightning around the plain module."""

import logging
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from cgsim.checkpoint import Provenance, load_simulator, save_simulator
from cgsim.config import Hardware, ModelConfig, TrainingConfig, to_dict
from cgsim.data import CGData, MappedTrajectory, WindowDataset, WindowSampler, atom_types_of, split_by_time
from cgsim.io import read_json, write_atomic_json
from cgsim.simulator import Simulator
from cgsim.statistics import measure

N_VALIDATION_BATCHES = 10


class TrainingModule(lightning.LightningModule):
    """The simulator with its optimiser: ``loss = NLL + score_weight x DSM``."""

    def __init__(self, simulator: Simulator, config: TrainingConfig) -> None:
        super().__init__()
        self.simulator, self.config = simulator, config

    def training_step(self, batch: CGData, batch_index: int) -> Tensor:
        generator = torch.Generator(self.device)
        generator.manual_seed(hash((self.config.seed, self.global_step, self.global_rank)) % 2**63)
        losses = self.simulator.loss(batch, generator=generator, history_noise=self.config.history_noise)
        total = losses["nll"] + self.config.score_weight * losses.get("score", 0.0)
        self._log("train", losses, batch)
        self.log("learning_rate", self.optimizers().param_groups[0]["lr"])
        return total

    def validation_step(self, batch: CGData, batch_index: int) -> None:
        generator = torch.Generator(self.device).manual_seed(batch_index)
        self._log("validation", self.simulator.loss(batch, generator=generator), batch)

    def _log(self, stage: str, losses: dict[str, Tensor], batch: CGData) -> None:
        for name, value in losses.items():
            show = name == "nll"
            size = int(batch.batch[-1]) + 1
            self.log(f"{stage}_{name}", value.detach(), prog_bar=show, batch_size=size, sync_dist=stage != "train")

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.Adam(self.simulator.parameters(), lr=self.config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._learning_rate_factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _learning_rate_factor(self, step: int) -> float:
        """Linear warm-up, then a cosine down to 1 %."""
        warm = min(1.0, (step + 1) / max(1, self.config.n_warmup))
        progress = min(1.0, step / self.config.n_steps)
        return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def fit(
    trajectories: Sequence[MappedTrajectory],
    directory: str | Path,
    *,
    model: ModelConfig | None = None,
    training: TrainingConfig | None = None,
    validation: Sequence[MappedTrajectory] | None = None,
    hardware: Hardware | None = None,
    data_provenance: dict[str, Any] | None = None,
) -> Simulator:
    """Train a simulator and write ``simulator.safetensors`` into a directory.

    Interrupt it at any time: called again with the same arguments it goes on from the last epoch and ends as if it
    had never stopped. Losses are logged to ``metrics.csv`` and TensorBoard.

    Parameters
    ----------
    trajectories
        Mapped trajectories of one or many molecules with the same frame interval.
    directory
        Where everything is written.
    model, training, hardware
        Configurations; defaults in `cgsim.config`.
    validation
        Trajectories of other molecules to validate on; by default the last part of every training trajectory.
    data_provenance
        Written into the checkpoint with the names and lengths of the trajectories.

    Returns
    -------
    The simulator with averaged weights, in evaluation mode on the CPU.

    Raises
    ------
    ValueError
        If trajectories are too short, differ in frame interval or mapping, or the directory holds another run.
    """
    directory = Path(directory)
    model, training = model or ModelConfig(), training or TrainingConfig()
    final = directory / "simulator.safetensors"
    provenance = _provenance(trajectories, training, data_provenance or {})
    _claim(directory, {"model": to_dict(model), "training": to_dict(training), "data": provenance.data})
    if final.exists():
        return load_simulator(final)
    if validation is None:
        trajectories, validation = split_by_time(trajectories, fraction=training.validation_fraction)
    torch.manual_seed(training.seed)
    statistics = measure(trajectories, stride=training.stride)
    simulator = Simulator(model, atom_types=atom_types_of(trajectories), statistics=statistics)
    run(TrainingModule(simulator, training), directory, trajectories, validation, hardware=hardware or Hardware())
    save_simulator(simulator, final, provenance=provenance)
    return load_simulator(final)


def run(
    module: TrainingModule,
    directory: Path,
    trajectories: Sequence[MappedTrajectory],
    validation: Sequence[MappedTrajectory],
    *,
    hardware: Hardware,
) -> None:
    """Run (or resume) the optimisation; the module's weights become the averaged ones."""
    trainer = _trainer(module.config, directory, hardware)
    train = _windows(module, trajectories)
    sampler = WindowSampler(
        len(train),
        batch_size=module.config.batch_size,
        n_batches=module.config.steps_per_epoch,
        seed=module.config.seed,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )
    last = directory / "last.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        trainer.fit(
            module,
            DataLoader(train, sampler=sampler, batch_size=None),
            _validation_loader(module, validation),
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    if trainer.interrupted:
        raise KeyboardInterrupt


def _trainer(config: TrainingConfig, directory: Path, hardware: Hardware) -> lightning.Trainer:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=hardware.n_devices,
        num_nodes=hardware.n_nodes,
        strategy="ddp" if hardware.n_devices * hardware.n_nodes > 1 else "auto",
        max_steps=config.n_steps,
        gradient_clip_val=config.clip,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=min(20, config.steps_per_epoch),
        enable_model_summary=False,
        logger=[CSVLogger(directory, name="", version=""), TensorBoardLogger(directory, name="", version="")],
        callbacks=[
            EMAWeightAveraging(decay=config.ema_decay),
            ModelCheckpoint(dirpath=directory, filename="last", every_n_epochs=1, enable_version_counter=False),
            TQDMProgressBar(refresh_rate=20),
        ],
    )


def _windows(module: TrainingModule, trajectories: Sequence[MappedTrajectory]) -> WindowDataset:
    simulator = module.simulator
    return WindowDataset(
        trajectories,
        atom_types=simulator.atom_types,
        history=simulator.config.history,
        stride=simulator.statistics.stride,
        n_hops=simulator.config.graph.n_hops,
    )


def _validation_loader(module: TrainingModule, validation: Sequence[MappedTrajectory]) -> DataLoader:
    """The same batches at every validation, of all trajectories alike."""
    dataset = _windows(module, validation)
    sampler = WindowSampler(
        len(dataset), batch_size=module.config.batch_size, n_batches=N_VALIDATION_BATCHES, seed=module.config.seed + 1
    )
    return DataLoader(dataset, batch_sampler=None, sampler=list(sampler), batch_size=None)


def _provenance(
    trajectories: Sequence[MappedTrajectory], training: TrainingConfig, extra: dict[str, Any]
) -> Provenance:
    """Recipe and data description of a training set.

    Raises
    ------
    ValueError
        If there are no trajectories, or they were mapped by different recipes.
    """
    if not trajectories:
        raise ValueError("no trajectories to train on")
    recipe = trajectories[0].recipe
    for other in trajectories:
        if other.recipe != recipe and "bead_index" not in recipe:
            raise ValueError(
                f"{trajectories[0].name} was mapped by {recipe}, {other.name} by {other.recipe}: "
                "map all training data alike"
            )
    described = [
        {"name": trajectory.name, "n_frames": trajectory.n_frames, "frame_interval": trajectory.frame_interval}
        for trajectory in trajectories
    ]
    return Provenance(recipe, to_dict(training), {"trajectories": described, **extra})


def _claim(directory: Path, run_settings: dict[str, Any]) -> None:
    """Note what runs in this directory.

    Raises
    ------
    ValueError
        If another run is there already.
    """
    file = directory / "run.json"
    if file.exists() and read_json(file) != run_settings:
        raise ValueError(
            f"{directory} holds a run with other settings or data (see {file.name}): choose another directory"
        )
    directory.mkdir(parents=True, exist_ok=True)
    write_atomic_json(file, run_settings)
