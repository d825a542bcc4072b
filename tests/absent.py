"""Code for a process in which packages are missing."""

from collections.abc import Iterable


def without(packages: Iterable[str]) -> str:
    """Lines that make the import of these packages fail in the process that runs them first."""
    return f"""
import importlib.util, sys

ABSENT = set({sorted(packages)!r})

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
known = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.split(".")[0] in ABSENT else known(name, package)
)
"""
