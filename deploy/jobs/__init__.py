"""Door plate of the engines that carry out folder jobs: on this machine's cores, or on a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from deploy.jobs.protocol import Engine

ENGINES: DoorPlate[type[Engine]] = DoorPlate(
    "engine",
    {
        "local": "deploy.jobs.local:LocalEngine",
        "ray": "deploy.jobs.ray_cluster:RayEngine",
    },
)
