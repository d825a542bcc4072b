"""The bar of a training, drawn by a clock of the test."""

import re
from pathlib import Path

import lightning.pytorch as lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from cgsim.training.progress import StepsBar

N_STEPS = 12


class Slow(lightning.LightningModule):
    """Each step takes so many seconds of a clock that the module itself turns."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seconds, self.time = seconds, 0.0

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        self.time += self.seconds
        return (self.weight - batch[0].mean()).square()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("seconds", "drawn"),
    [
        (25.0, set(range(1, N_STEPS + 1))),
        (4.0, {1, 4, 7, 10, 12}),  # 12 s after the one before
        (0.01, {1, 12}),
    ],
)
def test_it_is_drawn_when_the_interval_is_over(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], seconds: float, drawn: set[int]
) -> None:
    module = Slow(seconds)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[StepsBar(10.0, clock=lambda: module.time)],
    )
    data = TensorDataset(torch.ones(N_STEPS, 1))
    trainer.fit(module, DataLoader(data))
    counts = {int(n) for n in re.findall(rf"(\d+)/{N_STEPS} \[", "".join(capfd.readouterr()))}
    assert counts - {0} == drawn
