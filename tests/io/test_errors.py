"""Which package is missing, and where it is."""

import sys
from pathlib import Path

import pytest

from cgsim.io import load_molecule


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("run.tpr", "MDAnalysis", "mdanalysis"),
        ("run.gsd", "gsd", "mdanalysis"),
        ("run.h5", "tables", "formats"),
    ],
)
def test_the_advice_names_what_holds_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    said = rf"{name}.*needs the package {package}.*pip install 'cgsim\[{extra}\]'"
    with pytest.raises(ValueError, match=said):
        load_molecule(tmp_path / name)
