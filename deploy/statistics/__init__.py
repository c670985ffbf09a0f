"""Statistics that are computed when raw samples are read: percentiles, bootstrap intervals, verdicts."""
