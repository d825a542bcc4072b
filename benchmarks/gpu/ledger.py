"""Rows of a benchmark that may be killed at any time: each is kept as soon as it is made."""

import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.record import finite
from cgsim.io.files import write_atomic_json

DONE, LEFT_OUT, FAILED, RUNNING, UNFINISHED = (
    "done",
    "left out",
    "failed",
    "running",
    "unfinished",
)
FINAL = (DONE, LEFT_OUT, FAILED)


class LeftOutError(Exception):
    """A row that cannot be made here; says why."""


class UnfinishedError(Exception):
    """A row that goes on where it stopped when the command is given again.

    Parameters
    ----------
    reason
        Why it stopped.
    values
        What is known so far.
    """

    def __init__(self, reason: str, values: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.values = dict(values)


@dataclass(frozen=True)
class Row:
    """Something to measure.

    Attributes
    ----------
    name
        Of the row, such as ``rollout/9x40``.
    make
        Measures it.
    seconds
        That it may take at most.
    """

    name: str
    make: Callable[[], Mapping[str, Any]]
    seconds: float = 60.0


@dataclass(frozen=True)
class Entry:
    """What is known of a row.

    Attributes
    ----------
    name, state
        One of the states of this module.
    reason
        Why it is not done.
    seconds
        That it took.
    began
        Seconds since the epoch.
    values
        What was measured.
    """

    name: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    began: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """All rows so far, in one JSON file that is complete at any time.

    Parameters
    ----------
    file
        Is read if it is there.
    settings
        What rows depend on.

    Raises
    ------
    ValueError
        If the file is of other settings.
    """

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        self.file, self.settings = file, dict(settings)
        self.entries: dict[str, Entry] = {}
        self.read()

    def read(self) -> None:
        """What is in the file now."""
        if not self.file.exists():
            return
        stored = json.loads(self.file.read_text(encoding="utf-8"))
        if stored["settings"] != self.settings:
            raise ValueError(
                f"{self.file}: rows of other settings ({stored['settings']}, not {self.settings}); "
                "choose another folder with --output"
            )
        self.entries = {row["name"]: Entry(**row) for row in stored["rows"]}

    def put(self, entry: Entry) -> None:
        """Keep what is known of a row."""
        self.entries[entry.name] = entry
        rows = [finite(asdict(own)) for own in self.entries.values()]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic_json(self.file, {"settings": self.settings, "rows": rows})

    def is_final(self, name: str) -> bool:
        """Whether nothing is left to do for a row."""
        return name in self.entries and self.entries[name].state in FINAL

    def running(self) -> Entry | None:
        """The row that was begun last and has no end."""
        return next((own for own in self.entries.values() if own.state == RUNNING), None)

    def make(self, row: Row) -> Entry:
        """Measure a row and keep it, whatever happens."""
        began = time.time()
        before = self.entries.get(row.name)
        self.put(Entry(row.name, RUNNING, began=began, values=before.values if before else {}))
        state, reason, values = DONE, "", dict[str, Any]()
        try:
            values = dict(row.make())
        except LeftOutError as error:
            state, reason = LEFT_OUT, str(error)
        except UnfinishedError as error:
            state, reason, values = UNFINISHED, str(error), error.values
        except Exception as error:  # the other rows go on
            state, reason = FAILED, f"{type(error).__name__}: {error}"[:2000]
        entry = Entry(row.name, state, reason, time.time() - began, began, values)
        self.put(entry)
        return entry


def need(*packages: str) -> None:
    """Leave the row out unless all of these can be imported.

    Raises
    ------
    LeftOutError
        Naming those that are not installed.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise LeftOutError(f"not installed here: {', '.join(missing)}")
