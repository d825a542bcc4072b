import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cgsim.evaluate import OBSERVABLES, Comparison, Ensemble, Scoring, compare, metrics
from cgsim.evaluate.report.markup import inline_json, inline_script
from cgsim.evaluate.report.page import write_report
from cgsim.evaluate.report.plots import TrainingCurve
from cgsim.evaluate.report.table import metric_label

MakeChain = Callable[..., Ensemble]

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# Every address is answered by "not found": whatever asks for the network fails.
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--window-size=1000,1200",
    "--virtual-time-budget=3000",
)


@pytest.fixture(scope="module")
def ensembles(make_chain: MakeChain) -> tuple[list[Ensemble], list[Ensemble]]:
    first, second = (
        [make_chain(name, n_frames=150, bond=1 + k, seed=seed + k) for k, name in enumerate("ab")]
        for seed in (0, 10)
    )
    return first, second


@pytest.fixture(scope="module")
def comparison(ensembles: tuple[list[Ensemble], list[Ensemble]]) -> Comparison:
    reference, learned = ensembles
    return compare(
        reference, learned, yardsticks={"floor": learned}, scoring=Scoring(n_bootstrap=20)
    )


@pytest.fixture(scope="module")
def report(
    comparison: Comparison,
    ensembles: tuple[list[Ensemble], list[Ensemble]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(
        path,
        comparison,
        reference=ensembles[0],
        learned=ensembles[1],
        title="<script>alert(1)</script> & $title",
        lead="a < b",
        training=TrainingCurve(np.arange(3.0), np.array([3.0, 2, 1]), np.array([np.nan, 2, 1.5])),
        provenance={"seed": 7, "versions": {"cgsim": "<0.1>"}, "seconds": 1.25},
    )
    return path


def test_report_is_complete_and_alone(report: Path) -> None:
    assert [path.name for path in report.parent.iterdir()] == ["report.html"]
    page = report.read_text(encoding="utf-8")
    others = {own.name for row in ("between", "folded") for own in OBSERVABLES[row].metrics}
    for metric in metrics():  # those of boxes and folds are not of chains
        assert (metric_label(metric).replace("'", "&#x27;") in page) == (metric.name not in others)
    assert page.count('<figure class="plot') == 12  # memory and slow motions included
    assert report.stat().st_size < 5_000_000


def test_report_loads_nothing(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"https?:", markup)
    assert "url(" not in markup
    assert "@import" not in markup
    sources = re.findall(r"""\s(?:src|href|srcset|data|action)\s*=\s*["']([^"']*)""", markup)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "default-src 'none'" in markup
    assert not re.search(r"<script[^>]*\ssrc", page)


def test_strings_are_escaped(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $title" in page
    assert "a &lt; b" in page
    assert "versions · cgsim</dt><dd>&lt;0.1&gt;" in page


def test_inlined_code_cannot_close_its_element() -> None:
    assert inline_script('x = "</script>"').count("</script>") == 1
    assert inline_json("data", {"name": "</script><b>"}).count("</script>") == 1


def test_report_of_too_little_data(make_chain: MakeChain, tmp_path: Path) -> None:
    short = [make_chain("only", n_frames=2, n_replicas=1)]
    comparison = compare(short, short, scoring=Scoring(n_bootstrap=5))
    write_report(tmp_path / "r.html", comparison, reference=short, learned=short, title="short")
    assert "–" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_missing_ensembles_are_named(
    comparison: Comparison, ensembles: tuple[list[Ensemble], list[Ensemble]], tmp_path: Path
) -> None:
    reference, learned = ensembles
    with pytest.raises(ValueError, match=r"learned ensembles lack \['b'\]"):
        write_report(
            tmp_path / "r.html", comparison, reference=reference, learned=learned[:1], title="t"
        )
    assert not list(tmp_path.iterdir())


# Chooses the second molecule, plays for a moment, and writes down how far the player got.
USE_THE_PLAYER = """<script>
const player = document.getElementById("player");
const menu = player.querySelector("[data-molecules]");
menu.value = "1";
menu.dispatchEvent(new Event("change"));
player.querySelector("[data-play]").click();
setTimeout(() => {
  player.dataset.shown = player.querySelector("[data-slider]").value;
  player.dataset.clock = player.querySelector("[data-clock]").textContent;
  player.querySelector("[data-play]").click();
}, 1000);
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_player_draws_and_plays_in_a_browser(report: Path, tmp_path: Path) -> None:
    page = report.read_text(encoding="utf-8")
    report = tmp_path / "used.html"
    report.write_text(page.replace("</body>", USE_THE_PLAYER), encoding="utf-8")
    command = [
        str(CHROMIUM),
        *CHROMIUM_FLAGS,
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        report.as_uri(),
    ]
    environment = {**os.environ, "HOME": str(tmp_path)}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env=environment
    )
    root = re.search(r"<html[^>]*>", result.stdout)
    assert root is not None
    assert "data-error" not in root[0]
    assert 'data-ready="true"' in root[0]
    assert 'data-player="ready"' in result.stdout
    player = result.stdout[result.stdout.index('id="player"') :]
    assert player.count("<canvas") == 2
    assert re.findall(r"<option[^>]*>([^<]*)", player)[:2] == ["a", "b"]
    shown = re.search(r'data-shown="(\d+)" data-clock="(.*?)"', player)
    assert shown is not None
    assert int(shown[1]) > 0
    assert re.fullmatch(r"[\d.,]+ ps", shown[2])
