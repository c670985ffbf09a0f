"""Evaluating promptable segmenters: good and bad models, and an evaluator that is broken on purpose."""
