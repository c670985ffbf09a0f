"""Half-precision ONNX by onnxconverter-common, with fp32 inputs and outputs."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from export.overflow import FP16_MAX

if TYPE_CHECKING:
    import onnx

_SMALLEST = 2.0**-24


def to_fp16(model: onnx.ModelProto, blocked: list[str]) -> onnx.ModelProto:
    """Half-precision weights and maths with fp32 doors; the nodes named in ``blocked`` stay fp32."""
    from onnxconverter_common import float16

    _part_outputs(model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float16.convert_float_to_float16(  # type: ignore[no-any-return]
            model,
            min_positive_val=_SMALLEST,
            max_finite_val=FP16_MAX,  # its default clips every constant above 10000 to 10000
            keep_io_types=True,
            node_block_list=blocked,
            disable_shape_infer=False,
        )


def _part_outputs(model: onnx.ModelProto) -> None:
    """Give outputs that are also read inside an inner twin: the converter casts them for both otherwise."""
    from onnx import helper

    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    for output in graph.output:
        if output.name not in read:
            continue
        inner = f"{output.name}_read"
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    names[index] = inner if name == output.name else name
        graph.node.append(helper.make_node("Identity", [inner], [output.name], name=f"{inner}_out"))
