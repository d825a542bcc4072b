"""What is said of memory and time, and what is refused."""

from pathlib import Path

import pytest
import torch

from cgsim.hardware.needs import (
    Need,
    announce,
    check_fits,
    free_disk,
    free_memory,
    in_gb,
    in_minutes,
)


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0.01 GB"),
        (2.34e8, "0.23 GB"),
        (4.56e9, "4.6 GB"),
        (9.9e9, "9.9 GB"),
        (2e12, "2,000 GB"),
    ],
)
def test_bytes_in_words(n_bytes: float, words: str) -> None:
    assert in_gb(n_bytes) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "0.01 minutes"), (30, "0.5 minutes"), (90, "1.5 minutes"), (7200, "120 minutes")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert in_minutes(seconds) == words


def test_one_line_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    announce("map", "40 frames", Need(5e8, 600))
    announce("map", "40 frames", Need(5e8))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "map: 40 frames; about 0.5 GB and 10 minutes",
        "map: 40 frames; about 0.5 GB",
    ]


def test_what_cannot_fit_is_refused_with_what_helps() -> None:
    check_fits("this", 1e9, free=1e9, options=[])
    check_fits("this", 1e30, free=None, options=[])
    said = "^this needs about 2 GB of memory, but only 1 GB are free. What helps: less; fewer$"
    with pytest.raises(MemoryError, match=said):
        check_fits("this", 2e9, free=1e9, options=["less", "fewer"])


def test_there_is_memory_and_disk(tmp_path: Path) -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 1e6 < free < 1e15
    assert free_disk(tmp_path / "not" / "there") == pytest.approx(free_disk(tmp_path), rel=0.5)
