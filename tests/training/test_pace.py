"""What a training says of itself after some steps."""

import re
from pathlib import Path

import pytest

import cgsim
from cgsim.testing.systems import TINY, random_chain


@pytest.mark.parametrize(("n_steps", "said"), [(33, 1), (30, 0), (4, 0)])
def test_it_says_once_how_long_the_rest_will_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], n_steps: int, said: int
) -> None:
    chain = random_chain(5, n_frames=40, seed=1)
    training = {"n_steps": n_steps, "batch_size": 2, "steps_per_epoch": 40}
    cgsim.fit([chain], tmp_path, model=TINY, training=training)
    lines = [line for line in capsys.readouterr().err.splitlines() if "a step so far" in line]
    assert len(lines) == said
    for line in lines:
        assert re.search(r"[0-9.e-]+ s a step so far; about .*0\.0[0-9]+ minutes more", line)
