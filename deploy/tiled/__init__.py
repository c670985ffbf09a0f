"""Pictures cut into tiles: windows, boxes of every tile, merging, the gate; numpy and OpenCV only."""
