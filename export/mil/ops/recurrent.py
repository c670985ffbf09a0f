"""LSTM, GRU and RNN over (sequence, batch, features)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.activation import sigmoid_hard
from export.mil.ops.registry import op

Tensor = torch.Tensor
Activation = Callable[[Tensor], Tensor]

_ACTIVATIONS: dict[str, Activation] = {
    "hard_sigmoid": sigmoid_hard,
    "linear": lambda x: x,
    "relu": torch.relu,
    "scaled_tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "sigmoid_hard": sigmoid_hard,
    "tanh": torch.tanh,
}


def _activation(node: Node, name: str, default: str) -> Activation:
    wanted = node.text(name, default)
    if wanted not in _ACTIVATIONS:
        raise node.unknown(name, wanted)
    return _ACTIVATIONS[wanted]


def _direction(node: Node, allowed: tuple[str, ...]) -> str:
    wanted = node.text("direction", "forward")
    if wanted not in allowed:
        raise node.unknown("direction", wanted)
    return wanted


def _steps(x: Tensor, backwards: bool) -> range:
    count = x.shape[0]
    return range(count - 1, -1, -1) if backwards else range(count)


@dataclass(frozen=True)
class _LstmRule:
    """Activations and clipping of an LSTM; gates lie in the order input, forget, output, cell."""

    gates: Activation
    cell: Activation
    output: Activation
    clip: float | None

    def run(
        self,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        weights: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
        backwards: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One direction: states of all steps in the order they were computed, last hidden and cell state."""
        weight_ih, weight_hh, bias, peephole = weights
        # A packed sequence's converted program makes more initial rows than there are sequences.
        h, c = h[: x.shape[1]], c[: x.shape[1]]
        fed = F.linear(x, weight_ih, bias)
        peep = None if peephole is None else peephole.chunk(3)
        outputs = []
        for step in _steps(x, backwards):
            i, f, o, z = (fed[step] + F.linear(h, weight_hh)).chunk(4, 1)
            if peep is not None:
                i, f = i + c * peep[0], f + c * peep[1]
            c = self.gates(f) * c + self.gates(i) * self.cell(z)
            if self.clip is not None:
                c = c.clamp(-self.clip, self.clip)
            if peep is not None:
                o = o + c * peep[2]
            h = self.gates(o) * self.output(c)
            outputs.append(h)
        return torch.stack(outputs), h, c


@op("lstm")
def _lstm(node: Node) -> Kernel:
    """Outputs: hidden states (all or the last), last hidden state, last cell state.

    In reverse, states come in the order in which they were computed; a bidirectional LSTM puts those of its
    way back into the order of the sequence.
    """
    direction = _direction(node, ("forward", "reverse", "bidirectional"))
    every = node.flag("output_sequence")
    rule = _LstmRule(
        _activation(node, "recurrent_activation", "sigmoid"),
        _activation(node, "cell_activation", "tanh"),
        _activation(node, "activation", "tanh"),
        node.number("clip") if node.has("clip") else None,
    )

    def one(x: Tensor, h: Tensor, c: Tensor, *weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        y, h, c = rule.run(x, h, c, weights[:4], direction == "reverse")  # type: ignore[arg-type]
        return (y if every else h[None]), h, c

    def both(x: Tensor, h: Tensor, c: Tensor, *weights: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        half = h.shape[1] // 2
        ahead = rule.run(x, h[:, :half], c[:, :half], weights[:4], False)  # type: ignore[arg-type]
        back = rule.run(x, h[:, half:], c[:, half:], weights[4:], True)  # type: ignore[arg-type]
        h, c = torch.cat([ahead[1], back[1]], 1), torch.cat([ahead[2], back[2]], 1)
        return (torch.cat([ahead[0], back[0].flip(0)], 2) if every else h[None]), h, c

    names = ["weight_ih", "weight_hh", "bias", "peephole"]
    if direction == "bidirectional":
        back = [f"{name}_back" for name in names]
        return node.apply(both, "x", "initial_h", "initial_c", *names, *back)
    return node.apply(one, "x", "initial_h", "initial_c", *names)


@op("gru")
def _gru(node: Node) -> Kernel:
    """Gates lie in the order reset, output, update.

    The reset gate acts on the hidden state before its matrix product unless ``reset_after`` (iOS 18) says
    otherwise. In reverse, states come in the order in which they were computed.
    """
    backwards = _direction(node, ("forward", "reverse")) == "reverse"
    every, after = node.flag("output_sequence"), node.flag("reset_after")
    gate, squash = (
        _activation(node, "recurrent_activation", "sigmoid"),
        _activation(node, "activation", "tanh"),
    )

    def compute(
        x: Tensor,
        h: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor | None,
        input_bias: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        size = weight_hh.shape[1]
        fed = F.linear(x, weight_ih, input_bias)
        reset_w, output_w, update_w = weight_hh.chunk(3)
        zero = torch.zeros(size)
        reset_b, output_b, update_b = (zero, zero, zero) if bias is None else bias.chunk(3)
        outputs = []
        for step in _steps(x, backwards):
            reset_x, output_x, update_x = fed[step].chunk(3, 1)
            r = gate(reset_x + F.linear(h, reset_w) + reset_b)
            z = gate(update_x + F.linear(h, update_w) + update_b)
            if after:
                o = squash(output_x + r * (F.linear(h, output_w) + output_b))
            else:
                o = squash(output_x + F.linear(r * h, output_w) + output_b)
            h = (1 - z) * o + z * h
            outputs.append(h)
        return (torch.stack(outputs) if every else h[None]), h

    names = ("x", "initial_h", "weight_ih", "weight_hh", "bias", "input_bias")
    return node.apply(compute, *names)


@op("rnn")
def _rnn(node: Node) -> Kernel:
    """In reverse, states come in the order in which they were computed."""
    backwards = _direction(node, ("forward", "reverse")) == "reverse"
    every, squash = node.flag("output_sequence"), _activation(node, "activation", "tanh")

    def compute(
        x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        fed = F.linear(x, weight_ih, bias)
        outputs = []
        for step in _steps(x, backwards):
            h = squash(fed[step] + F.linear(h, weight_hh))
            outputs.append(h)
        return (torch.stack(outputs) if every else h[None]), h

    return node.apply(compute, "x", "initial_h", "weight_ih", "weight_hh", "bias")
