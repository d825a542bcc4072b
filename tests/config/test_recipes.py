"""The recipes are what the packaged simulators were made by."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

import cgsim
from cgsim.config import Recipe
from cgsim.model.checkpoint import load_provenance
from cgsim.testing.systems import random_chain

WEIGHTS = Path(cgsim.__file__).parent / "weights"


@pytest.mark.parametrize(
    ("recipe", "name"), [(cgsim.PEPTIDES, "peptides"), (cgsim.POLYMERS, "polymer-mini")]
)
def test_recipes_are_those_of_the_packaged_simulators(recipe: Recipe, name: str) -> None:
    provenance = load_provenance(WEIGHTS / f"{name}.safetensors")
    assert cgsim.load_pretrained(name).config == recipe.model
    assert provenance.recipe == recipe.mapping
    settings = asdict(recipe.training)
    known = provenance.training or {}
    assert known
    assert {key: settings[key] for key in known} == known


def test_a_recipe_trains(tmp_path: Path) -> None:
    training = replace(cgsim.POLYMERS.training, n_steps=2, batch_size=2, steps_per_epoch=2)
    simulator = cgsim.fit(
        [random_chain(4, n_frames=200)], tmp_path, model=cgsim.POLYMERS.model, training=training
    )
    assert simulator.config == cgsim.POLYMERS.model
