"""What XNNPACK leaves to ExecuTorch's portable kernels, and into how many pieces that cuts the program."""

from __future__ import annotations

import logging

from export.lint.finding import Finding
from export.lint.subject import LintSubject

_MANY = 10


def check(subject: LintSubject) -> list[Finding]:
    """Lower the fp32 program as the target does, and count what stayed outside."""
    if "executorch" not in subject.targets or subject.program is None or subject.file is not None:
        return []
    logging.getLogger("executorch").setLevel(logging.ERROR)
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(subject.program, partitioner=[XnnpackPartitioner()])
    info = get_delegation_info(edge.exported_program().graph_module)
    outside = {
        name: each.non_delegated for name, each in info.delegation_by_operator.items() if each.non_delegated
    }
    plumbing = {name for name in outside if "getitem" in name or name.endswith("_copy_dim_order")}
    listed = [(count, name) for name, count in outside.items() if name not in plumbing]
    if not listed:
        return []
    pieces, within = info.num_delegated_subgraphs, info.num_delegated_nodes
    ops = ", ".join(f"{count} {name}" for count, name in sorted(listed, reverse=True))
    many = pieces > _MANY
    return [
        Finding(
            "XNNPACK-PARTITIONS",
            "warning" if many or not within else "note",
            "XNNPACK",
            f"It takes {within} nodes in {pieces} partitions; outside stay {ops}.",
            "Every border costs a copy and a thread hand-over: replace the ops that stay outside."
            if many
            else "Nothing; portable kernels run these few.",
        )
    ]
