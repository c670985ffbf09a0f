"""The HTML page in a real browser: charts are drawn, nothing is asked of the network, nothing complains."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from device_bench.report.gather import gather
from device_bench.report.html import to_html
from tests.device_bench.accuracy import save_accuracy
from tests.device_bench.conftest import Results

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    common = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
    ]
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000"]
    command = [CHROMIUM, *common, *offline, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture
def page(results: Results, artifacts: Path, tmp_path: Path) -> Path:
    for name in ("exact", "shifted"):
        results.copy(name)
    save_accuracy(artifacts, tmp_path / "accuracy.json")
    path = tmp_path / "report.html"
    report = gather([results.place, tmp_path / "accuracy.json"], 0, lambda _: None)
    runs = tuple(replace(score, taints=("CONTENDED", "NOT-STEADY")) for score in report.runs)
    path.write_text(to_html(replace(report, runs=runs)))
    return path


@pytest.mark.parametrize(("scheme", "dark"), [("1", False), ("0", True)])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_looks_like_something(
    page: Path, tmp_path: Path, scheme: str, dark: bool, width: int
) -> None:
    shot = tmp_path / "shot.png"
    done = browse(
        page,
        f"--window-size={width},3200",
        f"--blink-settings=preferredColorScheme={scheme}",
        f"--screenshot={shot}",
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    image = cv2.imread(str(shot))
    assert image is not None
    colours = len(np.unique(image.reshape(-1, 3), axis=0))
    assert colours > 500
    assert (np.median(image) < 60) == dark


OVERFLOW = """<script>
document.body.dataset.wide = [...document.querySelectorAll(".scroll")]
  .filter((box) => box.scrollWidth > box.clientWidth + 1).length;
</script></body>"""


def test_every_chart_is_drawn_and_nothing_overflows(page: Path) -> None:
    page.write_text(page.read_text().replace("</body>", OVERFLOW))
    dom = browse(page, "--window-size=1280,3200", "--dump-dom").stdout
    assert 'data-wide="0"' in dom
    drawn = set(re.findall(r'<div class="plot[^"]*js-plotly-plot" id="([^"]+)"', dom))
    assert drawn == {"tradeoff", "sizes", "distribution", "timeline", "jitter-0"}
