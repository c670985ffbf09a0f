"""Give an exported ONNX graph this project's names, and take out what names the machine it was made on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def strip(model: onnx.ModelProto) -> None:
    """Drop stack traces and other notes that would carry paths and change from run to run."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph: Any = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.value_info[:]
    for holder in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        holder.doc_string = ""
        if hasattr(holder, "metadata_props"):
            del holder.metadata_props[:]


def rename(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> None:
    """Give the graph's doors our names, everywhere they are mentioned."""
    graph = model.graph
    mapping = {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    mapping |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    doors = set(mapping.values())
    inner = [*(tensor.name for tensor in graph.initializer), *(n for node in graph.node for n in node.output)]
    mapping |= {name: f"{name}_inner" for name in inner if name in doors and name not in mapping}
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = mapping.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = mapping.get(name, name)
