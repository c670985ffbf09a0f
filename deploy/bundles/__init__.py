"""Bundles of a promptable model: opened, held against their hashes, and run as one chain in numpy."""
