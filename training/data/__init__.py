"""Data: generated clips, the loaders of users' folders, and the deterministic order they are learned in."""
