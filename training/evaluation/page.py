"""The visual page: prompts by pictures, truth beside teacher beside student, in one offline file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from deploy.contracts.promptable import PromptableReport
from deploy.metrics.regions import boundary_map, region_similarity
from deploy.prompts.comparison import table
from training.evaluation.exhibits import Exhibit, Shown, ShownPrompt

_LONGEST = 128
"""Longer side of a picture on the page, in pixels; smaller ones are shown enlarged."""

_WHY = {"hard": "not there, but alike", "absent": "not there"}
_TRUTH = (255, 255, 255)
_COLOURS = ((255, 196, 0), (0, 200, 255), (255, 90, 200), (140, 255, 100), (200, 150, 255))


def to_page(report: PromptableReport, exhibits: Sequence[Exhibit]) -> str:
    """The page. The same report and exhibits give the same bytes, so that a look at it can be recorded by
    its hash; nothing in it says when it was made or who saw it."""
    style = resources.files("training.evaluation").joinpath("page.css").read_text(encoding="utf-8")
    pictures = [_small(exhibit.image) for exhibit in exhibits]
    backs = "".join(
        f".p{number} {{ {_box(image)} background-image: url({_png(image)}); }}\n"
        for number, image in enumerate(pictures)
    )
    body = "".join(
        f"<h2>{escape(exhibit.id)}</h2>\n{_picture(number, exhibit, pictures[number].shape)}"
        for number, exhibit in enumerate(exhibits)
    )
    names = escape(", ".join(f"{row.role} {row.name}" for row in report.rows[1:]))
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
        f"<title>Visual page: {names}</title>\n<style>\n{style}{backs}</style></head><body>\n"
        f"<h1>What was asked, what is there, what was answered</h1>\n<p>{names}, on {report.data.samples} "
        f"pictures of {escape(report.data.path)}; {len(exhibits)} of them are shown.<br>\n"
        f"Protocol <code>{report.protocol_sha256}</code></p>\n{_figures(report)}{_flags(report)}"
        f"<p>Look at every prompt: does the mask change with it? Then say so: "
        "<code>deploy verify RUN --task promptable_masks --looked-at NAME --verdict TEXT</code></p>\n"
        f"{body}</body></html>\n"
    )


def _figures(report: PromptableReport) -> str:
    found = []
    for kind in [each.kind for each in report.protocol.prompts]:
        heads, lines = table(report.rows, kind)
        head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
        rows = "".join(
            "<tr>" + "".join(f"<td>{_split(cell)}</td>" for cell in line) + "</tr>\n" for line in lines
        )
        found.append(
            f"<h2>{kind} prompts</h2>\n<div class='wide'><table class='figures'>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
        )
    return "".join(found)


def _split(cell: str) -> str:
    """A value with its interval beneath it."""
    value, _, span = escape(cell).partition(" [")
    return f"{value}<small>[{span}</small>" if span else value


def _flags(report: PromptableReport) -> str:
    return "".join(
        f"<p class='flag {flag.severity}'><b>{escape(row.name)}: {flag.id}</b> {escape(flag.sentence)} "
        f"{escape(flag.remedy)}</p>\n"
        for row in report.rows
        for flag in row.flags
    )


def _picture(number: int, exhibit: Exhibit, shape: tuple[int, ...]) -> str:
    """One row a model, one column a prompt: a model that ignores its prompt has a row of equal masks."""
    size = (shape[0], shape[1])
    labels = list(exhibit.prompts[0].answers) if exhibit.prompts else []
    head = "".join(f"<th>{_title(each)}</th>" for each in exhibit.prompts)
    truth = "".join(
        f"<td>{_cell(number, each, _overlay(each.truth, size, _TRUTH))}</td>" for each in exhibit.prompts
    )
    rows = "".join(
        f"<tr><th>{escape(label)}</th>"
        + "".join(
            _answer(number, each, each.answers[label], size, _COLOURS[place % len(_COLOURS)])
            for each in exhibit.prompts
        )
        + "</tr>\n"
        for place, label in enumerate(labels)
    )
    return (
        f"<div class='wide'><table><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody><tr><th>truth</th>{truth}</tr>\n{rows}</tbody></table></div>\n"
    )


def _answer(
    number: int, shown: ShownPrompt, answer: Shown, size: tuple[int, int], colour: tuple[int, int, int]
) -> str:
    if answer.mask is None:
        return "<td class='none'>cannot be asked so</td>"
    cell = _cell(number, shown, _overlay(answer.mask, size, colour))
    return f"<td>{cell}<small>{_words(shown, answer)}</small></td>"


def _words(shown: ShownPrompt, answer: Shown) -> str:
    said = "says there" if answer.said else "says absent"
    if answer.mask is None or not shown.truth.any():
        return said
    return f"{said}<br>IoU {region_similarity(answer.mask, shown.truth):.2f}"


def _cell(number: int, shown: ShownPrompt, overlay: str) -> str:
    mark = ""
    prompt = shown.prompt
    if prompt.box is not None:
        x0, y0, x1, y1 = (100 * float(value) for value in prompt.box)
        mark = (
            f"<span class='mark' style='left:{x0:.1f}%;top:{y0:.1f}%;width:{x1 - x0:.1f}%;"
            f"height:{y1 - y0:.1f}%'></span>"
        )
    elif prompt.points is not None:
        mark = "".join(
            f"<span class='mark point' style='left:{100 * x:.1f}%;top:{100 * y:.1f}%'></span>"
            for x, y, _ in prompt.points.tolist()
        )
    return f"<div class='cell p{number}'><img alt='' src='{overlay}'>{mark}</div>"


def _title(shown: ShownPrompt) -> str:
    kind = shown.prompt.kind
    text = escape(shown.prompt.text) if kind == "text" else kind
    return text if shown.group == "present" else f"{text}<small>{_WHY[shown.group]}</small>"


def _box(image: NDArray[np.uint8]) -> str:
    height, width = image.shape[:2]
    scale = max(1, _LONGEST // max(height, width))
    return f"width: {width * scale}px; height: {height * scale}px;"


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    if scale == 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _overlay(mask: NDArray[np.bool_], size: tuple[int, int], colour: tuple[int, int, int]) -> str:
    """A tinted mask with a full outline, transparent elsewhere, as a data URI."""
    if mask.shape != size:
        wide = (size[1], size[0])
        mask = np.asarray(
            cv2.resize(mask.astype(np.float32), wide, interpolation=cv2.INTER_AREA) >= 0.5, np.bool_
        )
    layer = np.zeros((*mask.shape, 4), np.uint8)
    layer[mask] = (*colour, 110)
    layer[boundary_map(mask)] = (*colour, 255)
    return _png(layer)


def _png(image: NDArray[np.uint8]) -> str:
    """A data URI of uint8 (H, W, 3) RGB or (H, W, 4) RGBA."""
    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, code), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return f"data:image/png;base64,{base64.b64encode(encoded.tobytes()).decode()}"
