"""Figures of promptable segmenters against other people's code."""
