"""Tiled detection judged: with and without tiles, always on the same pictures, from boxes found once."""
