"""Tests of the house itself: layers, plugs, sizes, docstrings, traces."""
