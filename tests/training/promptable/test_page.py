"""The visual page is one offline file, and a look at it is recorded for exactly that page."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.contracts.promptable import LookedAt, PromptableReport
from deploy.errors import DeployError
from tests.training.promptable.fakes import Blind, Constant, Reader
from training.data.prompted_shapes import PromptedShapes
from training.evaluation.exhibits import chosen
from training.evaluation.looking import RECORD, record_look, with_look
from training.evaluation.page import to_page
from training.evaluation.promptable import Evaluation


@pytest.fixture
def done(judge: Callable[..., Evaluation], world: PromptedShapes) -> Evaluation:
    texty = Reader(world, "<texty> & co", kinds=frozenset({"text"}))
    return judge(Blind(world, "blind"), Constant(), teacher=texty)


def test_one_file_without_a_network(done: Evaluation) -> None:
    page = to_page(done.report, done.exhibits)
    assert page == to_page(done.report, done.exhibits)
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert "http" not in page
    assert "<script" not in page
    assert "&lt;texty&gt; &amp; co" in page
    assert "<texty>" not in page
    assert "PROMPT-UNUSED" in page
    assert done.report.protocol_sha256 in page
    assert "cannot be asked so" in page
    assert len(done.exhibits) == 25
    assert page.count("<h2>shapes-held-out") == 25
    for exhibit in done.exhibits[:3]:
        for shown in exhibit.prompts:
            assert list(shown.answers) == ["teacher <texty> & co", "student blind", "student constant"]


def test_overlays_are_the_masks(done: Evaluation) -> None:
    page = to_page(done.report, done.exhibits[:1])
    uris = re.findall(r"<img alt='' src='data:image/png;base64,([^']+)'", page)
    shown = done.exhibits[0].prompts[0]
    layer = cv2.imdecode(np.frombuffer(base64.b64decode(uris[0]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert layer is not None
    assert layer.shape == (32, 32, 4)
    inside = layer[..., 3] > 0
    assert (inside | ~shown.truth).all()  # every true pixel is tinted
    assert len(uris) == sum(
        1 + sum(answer.mask is not None for answer in each.answers.values())
        for each in done.exhibits[0].prompts
    )


def test_pictures_are_spread_evenly() -> None:
    assert chosen(3) == {0, 1, 2}
    assert len(chosen(1000)) == 25
    assert max(chosen(1000)) == 960


def test_a_page_that_nobody_opened_says_so(done: Evaluation) -> None:
    assert done.report.visual == "visual QA: never opened"


def test_a_look_holds_for_its_page_only(done: Evaluation, tmp_path: Path) -> None:
    page, document = tmp_path / "page.html", tmp_path / "promptable.json"
    page.write_text(to_page(done.report, done.exhibits))
    report = with_look(done.report, tmp_path, page)
    assert report.looked_at is None
    report.save(document)
    with pytest.raises(DeployError) as caught:
        record_look(document, page, " ", "fine")
    assert caught.value.error_id == "LOOK-EMPTY"
    seen = record_look(document, page, "Kim", "blind ignores the prompt")
    assert re.fullmatch(
        r"visual QA: Kim, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: blind ignores the prompt", seen.visual
    )
    assert PromptableReport.load(document) == seen
    assert LookedAt.load(tmp_path / RECORD) == seen.looked_at
    again = with_look(done.report, tmp_path, page)
    assert again.looked_at == seen.looked_at  # the same page was made again
    page.write_text(page.read_text() + "<!-- other -->")
    assert with_look(done.report, tmp_path, page).looked_at is None
    with pytest.raises(DeployError) as caught:
        record_look(document, page, "Kim", "fine")
    assert caught.value.error_id == "PAGE-CHANGED"
