"""Tests of the data tools: slicing, leaks, duplicates, pseudo-labels, exchange formats."""
