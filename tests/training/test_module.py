"""The module in trainers and loops of other people; the page that tells of it is true."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
import torch_geometric.loader
from lightning.pytorch.callbacks import WeightAveraging

import cgsim
from cgsim.config import TrainingConfig
from cgsim.mapping.store import save_mapped
from cgsim.model.checkpoint import load_provenance, load_simulator
from cgsim.model.simulator import Simulator
from cgsim.testing.systems import TINY, random_chain
from cgsim.training.fit import new_simulator
from cgsim.training.module import TrainingModule, epochs, moving_average

CHAINS = [
    replace(random_chain(n, n_frames=60, seed=n, name=f"c{n}"), frame_interval=1.0) for n in (5, 7)
]
SHORT = TrainingConfig(
    n_steps=6, batch_size=4, learning_rate=5e-3, n_warmup=1, ema_decay=0.8, steps_per_epoch=6
)
ROOT = Path(__file__).parents[2]


def trained(loader: Any, folder: Path, **settings: Any) -> tuple[Simulator, lightning.Trainer]:
    """By a trainer that knows nothing of cgsim; ``loader`` makes batches of windows."""
    simulator = new_simulator(CHAINS, model=TINY, training=SHORT)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=SHORT.n_steps,
        gradient_clip_val=SHORT.clip,
        callbacks=[
            WeightAveraging(use_buffers=False, multi_avg_fn=moving_average(SHORT.ema_decay))
        ],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
    )
    windows = simulator.windows(CHAINS)
    module = TrainingModule(simulator, SHORT, **settings)
    validation = torch_geometric.loader.DataLoader(windows[:8], batch_size=4)
    trainer.fit(module, loader(windows), validation)
    return simulator, trainer


def lists(n_windows: int) -> list[list[int]]:
    """The batches of one epoch, in the order in which `dataset[list]` joins windows."""
    random = np.random.default_rng(0)
    return [sorted(random.integers(n_windows, size=4).tolist()) for _ in range(SHORT.n_steps)]


def ours(windows: Any) -> Any:
    return torch.utils.data.DataLoader(windows, sampler=lists(len(windows)), batch_size=None)


def theirs(windows: Any) -> Any:
    return torch_geometric.loader.DataLoader(windows, batch_sampler=lists(len(windows)))


def weights(simulator: Simulator) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in simulator.named_parameters()}


def test_any_loader_trains_the_same(tmp_path: Path) -> None:
    by_list, trainer = trained(ours, tmp_path)
    by_loader, _ = trained(theirs, tmp_path)
    untrained = weights(new_simulator(CHAINS, model=TINY, training=SHORT))
    for name, value in weights(by_list).items():
        torch.testing.assert_close(weights(by_loader)[name], value, rtol=1e-3, atol=1e-4)
    assert any(not torch.equal(value, untrained[name]) for name, value in weights(by_list).items())
    logged = trainer.callback_metrics
    assert {"train_nll", "train_score", "validation_nll", "validation_loss"} <= logged.keys()
    assert trainer.global_step == SHORT.n_steps


def test_an_optimiser_and_a_scheduler_of_ones_own(tmp_path: Path) -> None:
    n_stepped: list[int] = []

    class Counted(torch.optim.lr_scheduler.ConstantLR):
        def step(self, *args: Any, **kwargs: Any) -> None:
            n_stepped.append(1)
            super().step(*args, **kwargs)

    asked: list[int] = []

    def scheduler(optimizer: torch.optim.Optimizer, n_steps: int) -> Any:
        asked.append(n_steps)
        return Counted(optimizer, factor=1.0)

    def sgd(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=0.5)

    _, trainer = trained(ours, tmp_path, optimizer=sgd, scheduler=scheduler)
    assert isinstance(trainer.optimizers[0], torch.optim.SGD)
    assert asked == [SHORT.n_steps]
    assert sum(n_stepped) == 1 + SHORT.n_steps  # torch calls it once when it is made


def test_a_fit_begins_with_a_new_simulator(tmp_path: Path) -> None:
    config = {"n_steps": 1, "batch_size": 2, "learning_rate": 0.0, "seed": 3}
    fitted = cgsim.fit(
        CHAINS,
        tmp_path,
        model=TINY,
        training=config,
        hardware={"accelerator": "cpu"},
        validation=CHAINS,
    )
    begun = weights(new_simulator(CHAINS, model=TINY, training={"seed": 3}))
    assert all(torch.equal(value, begun[name]) for name, value in weights(fitted).items())
    other = weights(new_simulator(CHAINS, model=TINY, training={"seed": 4}))
    assert any(not torch.equal(value, begun[name]) for name, value in other.items())
    assert new_simulator(CHAINS, model=TINY, training={"stride": 2}).timestep == 2.0


def test_a_mapping_holds_settings_of_a_network_of_ones_own() -> None:
    path = ROOT / "examples" / "extend" / "attention_dynamics.py"
    specification = importlib.util.spec_from_file_location("attention_dynamics", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    model = {"score": None, "dynamics": {"sharpness": 2, "n_channels": 4}}
    simulator = new_simulator(CHAINS, model=model, network=module.AttentionDynamics)
    assert type(simulator.dynamics) is module.AttentionDynamics
    assert simulator.config.dynamics == module.AttentionConfig(sharpness=2.0, n_channels=4)
    wrong = {"dynamics": {"sharp_ness": 1.0}}
    with pytest.raises(ValueError, match=r"unknown key 'sharp_ness'.*'sharpness' for 'sharp_ness'"):
        new_simulator(CHAINS, model=wrong, network=module.AttentionDynamics)


@pytest.mark.parametrize(
    ("n_steps", "longest", "expected"), [(10, 4, (3, 4)), (3, 200, (1, 3)), (400, 200, (2, 200))]
)
def test_epochs_are_whole(n_steps: int, longest: int, expected: tuple[int, int]) -> None:
    assert epochs(TrainingConfig(n_steps=n_steps, steps_per_epoch=longest)) == expected


def test_the_page_on_the_training_loop_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code runs as it stands, but for the numbers of steps."""
    monkeypatch.chdir(tmp_path)
    chain = random_chain(5, n_frames=120, name="protein")
    save_mapped(chain, tmp_path / "mapped" / "protein.cg")
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    code = "\n".join(blocks)
    code, n_shortened = re.subn(r'(\bn_steps"?\s?[=:]\s?)3000', r"\g<1>3", code)
    assert n_shortened == 3
    code = code.replace("lightning.Trainer(", "lightning.Trainer(accelerator='cpu', ")
    exec(compile(code, "training.md", "exec"), {"__name__": "page"})
    for name in ("model", "model-one-cycle"):
        load_simulator(tmp_path / name / "simulator.safetensors")
    stored = tmp_path / "own-trainer.safetensors"
    assert load_simulator(stored).timestep == 5 * chain.frame_interval
    assert load_provenance(stored).recipe == chain.recipe
