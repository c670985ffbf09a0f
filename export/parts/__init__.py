"""A promptable segmenter taken apart: modules that are exported one by one, and samples that prove each."""
