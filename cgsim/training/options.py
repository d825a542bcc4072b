"""What may be chosen of the training loop: logs, callbacks, optimiser, and options of Lightning.

Nothing heavy is imported here, so that the command line can show it in its help.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from importlib.util import find_spec
from typing import Any

from cgsim.config.tables import import_part
from cgsim.io.records import nearest

LOGGERS = ("csv", "tensorboard", "wandb")
DEFAULT_LOGGERS = ("csv", "tensorboard")
CLIPPING = ("norm", "value")

#: Options of `lightning.Trainer` that cgsim sets itself, and what to use in their place.
RESERVED = {
    "accelerator": "hardware.accelerator",
    "devices": "hardware.n_devices",
    "num_nodes": "hardware.n_nodes",
    "precision": "hardware.precision",
    "default_root_dir": "the directory of the run",
    **dict.fromkeys(
        ("max_epochs", "min_epochs", "max_steps", "min_steps", "fast_dev_run"),
        "training.n_steps (finetuning.n_steps)",
    ),
    **dict.fromkeys(
        ("limit_train_batches", "val_check_interval", "check_val_every_n_epoch"),
        "training.steps_per_epoch (finetuning.steps_per_epoch)",
    ),
    "gradient_clip_val": "training.clip (always 1 in fine-tuning)",
    **dict.fromkeys(
        ("limit_val_batches", "overfit_batches"),
        "the trajectories that you give as validation",
    ),
    "use_distributed_sampler": "nothing: every process draws its own windows already",
    **dict.fromkeys(
        ("enable_checkpointing", "barebones"),
        "nothing: an interrupted run goes on from its resume points",
    ),
}


@dataclass(frozen=True)
class TrainerOptions:
    """How a training is run, beside what `TrainingConfig` and `Hardware` say.

    `cgsim.fit` and `cgsim.finetune` take these, or a mapping: of ``logger``, ``callbacks``,
    ``optimizer`` and ``scheduler``, while every other key is an option of `lightning.Trainer`, as
    in ``trainer={"logger": "wandb", "accumulate_grad_batches": 2}``.

    Parameters
    ----------
    logger
        Where losses go: ``csv`` (``metrics.csv``, which reports draw), ``tensorboard``, ``wandb``
        (Weights & Biases, needs the package), or a logger of Lightning; one or several. An empty
        list or False is none.
    callbacks
        Of Lightning, beside those of cgsim; one or several.
    optimizer
        From a list of parameters to a torch optimiser; `AdamW` by default. ``learning_rate`` and
        ``weight_decay`` of the configuration are then not used.
    scheduler
        From the optimiser and the number of its steps to a learning-rate scheduler of torch, which
        is stepped after each of them (`ReduceLROnPlateau`: after each validation, by its NLL). By
        default a linear warm-up and a cosine.
    lightning
        Any other option of `lightning.Trainer`. With ``accumulate_grad_batches=k`` a step of the
        optimiser sees k batches; the number of steps stays.

    A function may be given by its name too, ``"package.module:function"``.

    Raises
    ------
    ValueError
        Naming an option that cgsim sets itself, with what to use instead, or a value that is none.
    """

    logger: Any = DEFAULT_LOGGERS
    callbacks: Any = ()
    optimizer: Callable[[list[Any]], Any] | str | None = None
    scheduler: Callable[[Any, int], Any] | str | None = None
    lightning: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.lightning:
            if name in RESERVED:
                raise ValueError(
                    f"trainer.{name} is set by cgsim itself; use instead: {RESERVED[name]}"
                )
        for logger in self.loggers:
            _check_logger(logger)
        for name in ("optimizer", "scheduler"):
            value = getattr(self, name)
            if not (value is None or callable(value) or (isinstance(value, str) and ":" in value)):
                raise ValueError(
                    f"trainer.{name} must be a function that makes one, or its name "
                    f"'package.module:function', got {value!r}"
                )
        n_accumulated = self.lightning.get("accumulate_grad_batches", 1)
        if not (isinstance(n_accumulated, int) and n_accumulated >= 1):
            raise ValueError(
                "trainer.accumulate_grad_batches must be a whole number of at least 1, got "
                f"{n_accumulated!r}"
            )
        if (algorithm := self.lightning.get("gradient_clip_algorithm", "norm")) not in CLIPPING:
            raise ValueError(
                f"trainer.gradient_clip_algorithm must be one of {CLIPPING}, got {algorithm!r}"
            )

    @classmethod
    def of(cls, given: "TrainerOptions | Mapping[str, Any] | None") -> "TrainerOptions":
        """Options as they are, or from a mapping; the defaults from None.

        Raises
        ------
        ValueError
            If it is neither; see `TrainerOptions`.
        """
        if given is None or isinstance(given, cls):
            return given or cls()
        if not isinstance(given, Mapping):
            raise ValueError(
                f"trainer: expected a mapping of options or TrainerOptions, got {given!r}"
            )
        own = {each.name for each in fields(cls)} - {"lightning"}
        lightning = {name: value for name, value in given.items() if name not in own}
        return cls(**{k: v for k, v in given.items() if k in own}, lightning=lightning)

    @property
    def loggers(self) -> tuple[Any, ...]:
        """Names of loggers, or loggers of Lightning."""
        if self.logger is None or self.logger is True:  # what Lightning calls its default
            return DEFAULT_LOGGERS
        return several(self.logger)

    @property
    def n_accumulated(self) -> int:
        """Batches of which the gradients are added up for a step."""
        return int(self.lightning.get("accumulate_grad_batches", 1))

    def check_names(self, known: Iterable[str]) -> None:
        """Check that every option is one of those that Lightning has.

        Raises
        ------
        ValueError
            Naming all that are not.
        """
        known = sorted({*known, "logger", "callbacks", "optimizer", "scheduler"} - set(RESERVED))
        unknown = [name for name in self.lightning if name not in known]
        if unknown:
            names = ", ".join(f"{name!r}{_question(name, known)}" for name in unknown)
            raise ValueError(f"trainer: no such option of lightning.Trainer: {names}")

    def factory(self, name: str) -> Callable[..., Any] | None:
        """The function for ``optimizer`` or ``scheduler``, imported if it is given by name.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        value: Callable[..., Any] | str | None = getattr(self, name)
        if not isinstance(value, str):
            return value
        try:
            found: Callable[..., Any] = import_part(value)
        except ValueError as error:
            raise ValueError(f"trainer.{name}: {error}") from error
        return found

    def described(self) -> dict[str, Any]:
        """``{"trainer": ...}`` with what changes the weights that come out; nothing of defaults."""
        about: dict[str, Any] = {
            name: _name_of(value)
            for name in ("optimizer", "scheduler")
            if (value := getattr(self, name)) is not None
        }
        if self.n_accumulated > 1:
            about["accumulate_grad_batches"] = self.n_accumulated
        if self.lightning.get("gradient_clip_algorithm", "norm") != "norm":
            about["gradient_clip_algorithm"] = self.lightning["gradient_clip_algorithm"]
        return {"trainer": about} if about else {}


Options = TrainerOptions | Mapping[str, Any] | None


def several(value: Any) -> tuple[Any, ...]:
    """One thing or several, as several; nothing of False and None."""
    if value is None or value is False:
        return ()
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _question(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    return f" (did you mean {near!r}?)" if near else ""


def _check_logger(logger: Any) -> None:
    if not isinstance(logger, str):
        return
    if logger not in LOGGERS:
        raise ValueError(
            f"trainer.logger: no logger {logger!r}{_question(logger, LOGGERS)}; there are "
            f"{', '.join(LOGGERS)}, and loggers of Lightning"
        )
    if logger == "wandb" and find_spec("wandb") is None:
        raise ValueError(
            'trainer.logger: "wandb" needs Weights & Biases: pip install "cgsim[wandb]"'
        )


def _name_of(factory: Any) -> str:
    """A function in words that are the same in every process, with what is bound to it."""
    if not callable(factory):
        return factory if isinstance(factory, str) else repr(factory)
    if isinstance(factory, partial):
        bound = [_name_of(value) for value in factory.args]
        bound += [f"{key}={_name_of(value)}" for key, value in sorted(factory.keywords.items())]
        return f"{_name_of(factory.func)}({', '.join(bound)})"
    named = factory if hasattr(factory, "__qualname__") else type(factory)
    return f"{named.__module__}:{named.__qualname__}"
