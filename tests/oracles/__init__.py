"""Slow, independent second opinions that tests and benchmarks compare against."""
