"""Every example runs to its end, in smoke mode."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from cgsim.model.checkpoint import pretrained_names

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
WRITES = {
    "compare_noise": ("independent/simulator.safetensors", "correlated/simulator.safetensors"),
    "finetune_peptide": ("tuned/simulator.safetensors", "tuned/finetuning.json"),
    "own_trajectory": ("model/simulator.safetensors", "metrics.json", "report.html"),
    "pretrained_polymer": ("my_chain.pdb", "rollout/my_chain-r0.xtc"),
    "slurm_rollout": ("rollout/mini-II-s1-000/mini-II-s1-000-r0.xtc",),
}
SAYS = {
    "compare_noise": "against reference MD",
    "finetune_peptide": "fine-tuned",
    "own_trajectory": "against reference MD",
    "pretrained_polymer": "mean radius of gyration",
    "slurm_rollout": "2 trajectories, 0 replicas stopped early",
}
#: Packaged simulators that examples ask for.
NEEDS = {"finetune_peptide": "peptides", "pretrained_polymer": "polymer-mini"}


def load(path: Path) -> ModuleType:
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if NEEDS.get(path.stem, "polymer-mini") not in pretrained_names():
        pytest.skip(f"the package has no simulator {NEEDS[path.stem]!r} yet")
    load(path).main(["--smoke", "--output", str(tmp_path)])
    for name in WRITES[path.stem]:
        assert (tmp_path / name).stat().st_size > 0
    assert SAYS[path.stem] in capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_says_how_to_run_it(path: Path) -> None:
    assert f"python examples/{path.name}" in (load(path).__doc__ or "")
