"""Measuring exports against the fp32 reference: each file in a process of its own, all on the same samples."""
