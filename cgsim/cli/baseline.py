"""The command `cgsim baseline`."""

from pathlib import Path


def command(
    data: list[Path],
    *,
    output: Path,
    kind: str = "var",
    stride: int = 1,
    history: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Fit a simple propagator, to compare a simulator with.

    Writes one file, which `cgsim rollout` takes in place of a simulator; `cgsim evaluate` and
    `cgsim report` take what that writes. There are `persistence` (nothing moves), `random-walk`,
    `independent` (frames without memory), `var` (vector autoregression, all of them linear in the
    positions of the beads and fitted exactly) and `lstm` (a recurrent network on every bead by
    itself).

    Example: cgsim baseline mapped --output var.safetensors --stride 5

    Args:
        data: Folders NAME.cg of `cgsim map`, or folders of such folders. For all but lstm the
            molecules must have the same number of beads.
        output: File to write, NAME.safetensors.
        kind: persistence, random-walk, independent, var or lstm.
        stride: Frames per step.
        history: Frames that a step sees; 5 of var and 10 of lstm by default.
        seed: Seed of the training of lstm.
        overwrite: Replace what is there already.
    """
    from cgsim.baselines.files import save_propagator
    from cgsim.baselines.propagators import fit_propagator
    from cgsim.io.files import check_new
    from cgsim.mapping.store import load_mapped_folders

    check_new(output, overwrite=overwrite)
    trajectories = load_mapped_folders(data)
    propagator = fit_propagator(kind, trajectories, stride=stride, history=history, seed=seed)
    fitted = {
        "kind": kind,
        "stride": stride,
        "history": propagator.history,
        "seed": seed,
        "trajectories": [{"name": own.name, "n_frames": own.n_frames} for own in trajectories],
    }
    file = save_propagator(propagator, output, fitted=fitted)
    print(f"propagator: {file}, a step of {propagator.timestep:g} ps")
