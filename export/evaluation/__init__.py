"""Measuring exports against the fp32 reference: a process for each file, the same samples for all."""
