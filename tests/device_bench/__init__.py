"""Tests of the bench: the harness, the flow, the scores and the report."""
