"""Packages as CVAT imports and exports them."""
