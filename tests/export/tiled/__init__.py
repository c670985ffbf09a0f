"""Tests of the evaluation with and without tiles."""
