"""A C++ part that was built from other sources is not used, and says so."""

import re
from pathlib import Path
from types import ModuleType

import pytest

import cgsim.nn.native
from cgsim.nn.native.sources import SOURCES, is_current


def test_both_sides_name_the_same_sources() -> None:
    text = (Path(cgsim.nn.native.__file__).parent / "sources.hpp").read_text(encoding="utf-8")
    assert re.findall(r"SOURCES = (\d+);", text) == [str(SOURCES)]


@pytest.mark.parametrize("sources", [None, SOURCES - 1])
def test_a_part_of_other_sources_is_told(sources: int | None) -> None:
    part = ModuleType("cgsim.nn.native._part")
    if sources is not None:
        part.SOURCES = sources  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match=r"_part was built from other sources.*pip install"):
        assert not is_current(part)


def test_a_part_of_these_sources_is_used() -> None:
    part = ModuleType("cgsim.nn.native._part")
    part.SOURCES = SOURCES  # type: ignore[attr-defined]
    assert is_current(part)
