"""How far a quantized model's outputs are from the reference's, in its task's terms, without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.decode import BinaryMaskDecode, ClassifyDecode, Decode, YoloDecode

Outputs = Mapping[str, NDArray[np.generic]]
_SMALLEST = 1e-7
_CONFIDENT = 0.25


def divergence(decode: Decode, references: Sequence[Outputs], others: Sequence[Outputs]) -> float:
    """Mean over the samples; see ``divergences``."""
    return float(np.mean(divergences(decode, references, others)))


def divergences(
    decode: Decode, references: Sequence[Outputs], others: Sequence[Outputs]
) -> NDArray[np.float64]:
    """One number a sample, float64 (N,): 0 for equal outputs, larger is worse, infinite where not finite.

    Classifiers: KL divergence of the class distributions, in nats. Binary masks: mean KL of the pixels'
    foreground probabilities. YOLO heads: KL of the class scores per confident anchor, plus 1 - IoU of its
    boxes, plus the relative squared error of mask coefficients and prototypes. Otherwise the relative squared
    error of all outputs.
    """
    rule = _RULES.get(type(decode), _tensors)
    found = np.array([rule(decode, a, b) for a, b in zip(references, others, strict=True)])
    return np.where(np.isfinite(found), found, np.inf)


def _classify(decode: ClassifyDecode, reference: Outputs, other: Outputs) -> float:
    wanted, given = (_log_softmax(_array(each, decode.output).reshape(-1)) for each in (reference, other))
    return float(np.sum(np.exp(wanted) * (wanted - given)))


def _binary_mask(decode: BinaryMaskDecode, reference: Outputs, other: Outputs) -> float:
    wanted, given = (_sigmoid(_array(each, decode.output)) for each in (reference, other))
    return float(np.mean(_bernoulli(wanted, given)))


def _yolo(decode: YoloDecode, reference: Outputs, other: Outputs) -> float:
    """A head is (1, 4 + classes + coefficients, anchors): cx cy w h in pixels, scores 0..1, coefficients."""
    wanted, given = (_array(each, decode.output)[0] for each in (reference, other))
    classes = 4 + len(decode.class_names)
    scores = wanted[4:classes].max(axis=0)
    confident = np.flatnonzero(scores > min(_CONFIDENT, float(scores.max())) - _SMALLEST)
    loss = float(_bernoulli(wanted[4:classes], given[4:classes]).sum()) / len(confident)
    loss += float(np.mean(1 - _iou(wanted[:4, confident], given[:4, confident])))
    if decode.protos is not None:
        loss += _relative(wanted[classes:, confident], given[classes:, confident])
        loss += _relative(_array(reference, decode.protos), _array(other, decode.protos))
    return loss


def _tensors(decode: Decode, reference: Outputs, other: Outputs) -> float:
    return float(np.mean([_relative(_array(reference, name), _array(other, name)) for name in reference]))


_RULES: dict[type, Callable[..., float]] = {
    ClassifyDecode: _classify,
    BinaryMaskDecode: _binary_mask,
    YoloDecode: _yolo,
}


def _array(outputs: Outputs, name: str) -> NDArray[np.float64]:
    return np.asarray(outputs[name], np.float64)


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted: NDArray[np.float64] = logits - logits.max()
    return shifted - float(np.log(np.exp(shifted).sum()))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return found


def _bernoulli(wanted: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL divergence of two coins, element by element."""
    p, q = (np.clip(each, _SMALLEST, 1 - _SMALLEST) for each in (wanted, given))
    found: NDArray[np.float64] = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return found


def _iou(wanted: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes (4, N) cx cy w h, pair by pair."""
    low = np.maximum(wanted[:2] - wanted[2:] / 2, given[:2] - given[2:] / 2)
    high = np.minimum(wanted[:2] + wanted[2:] / 2, given[:2] + given[2:] / 2)
    shared = np.prod(np.clip(high - low, 0, None), axis=0)
    whole = np.prod(wanted[2:], axis=0) + np.prod(np.clip(given[2:], 0, None), axis=0) - shared
    found: NDArray[np.float64] = shared / np.maximum(whole, _SMALLEST)
    return found


def _relative(wanted: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Squared error over squared signal: the inverse of the SQNR as a ratio."""
    power = float(np.square(wanted).sum())
    return float(np.square(wanted - given).sum()) / max(power, _SMALLEST)
