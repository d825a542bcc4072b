"""Shells complete commands and options: the scripts that `cgsim --print_completion` prints."""

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from cgsim.cli.command_line import COMMANDS, main

OPTIONS = {
    "md polymers": ["--run.duration", "--n_chains", "--workers"],
    "md peptide": ["--run.solvent", "--sequence", "--cluster.workers"],
    "md steered": ["--run.spring_constant", "--n_residues"],
    "md protein": ["--run.contact_energy", "--output"],
    "map": ["--reference", "--method", "--without_rigid_motion"],
    "train": ["--training.stride", "--model.dynamics.lmax", "--validation"],
    "finetune": ["--replay", "--finetuning.patience"],
    "baseline": ["--kind", "--stride"],
    "rollout": ["--n_steps", "--device"],
    "backmap": ["--reference", "--minimise"],
    "evaluate": ["--floor", "--scheduler"],
    "report": ["--title", "--run"],
    "quickstart": ["--pretrained", "--sizes.n_test"],
}


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What is to be put where the shell finds it."""
    with pytest.raises(SystemExit) as caught:
        main(["--print_completion", f"shtab-{shell}"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_every_command_has_options_here() -> None:
    assert OPTIONS.keys() == COMMANDS.keys()


@pytest.mark.skipif(which("bash") is None, reason="there is no bash here")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "completion.bash"
    file.write_text(script("bash", capsys))
    # For each line of input: complete its last word, and print the answers in a line.
    asker = (
        f"source {file}; COMP_TYPE=9; while IFS= read -r line; do "
        'read -r -a COMP_WORDS <<< "$line"; [[ "$line" == *" " ]] && COMP_WORDS+=(""); '
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_cgsim; echo "${COMPREPLY[*]}"; done'
    )

    def answers(*lines: str) -> list[list[str]]:
        typed = "".join(f"{line}\n" for line in lines)
        done = subprocess.run(
            ["bash", "-c", asker], input=typed, capture_output=True, text=True, check=True
        )
        return [line.split() for line in done.stdout.splitlines()]

    commands, groups, nearest = answers("cgsim ", "cgsim md ", "cgsim tr")
    assert set(commands) == {name.split()[0] for name in COMMANDS}
    assert groups == ["polymers", "peptide", "steered", "protein"]
    assert nearest == ["train"]
    offered = dict(zip(OPTIONS, answers(*(f"cgsim {name} --" for name in OPTIONS)), strict=True))
    for name, options in OPTIONS.items():
        assert set(options) <= set(offered[name]), name
    (choices,) = answers("cgsim map --method c")
    assert choices == ["calpha"]


def test_zsh_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = script("zsh", capsys)
    assert text.startswith("#compdef cgsim")
    for name, options in OPTIONS.items():
        start = text.index(f"_shtab_cgsim_{name.replace(' ', '_')}_options=(")
        own = text[start : text.index("\n)\n", start)]
        offered = set(re.findall(r'["{,](--[\w.]+)(?=[\[,}])', own))
        assert set(options) <= offered, name
    if which("zsh"):
        (tmp_path / "_cgsim").write_text(text)
        subprocess.run(["zsh", "-n", str(tmp_path / "_cgsim")], check=True)
