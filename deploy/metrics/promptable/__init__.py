"""Figures of promptable segmenters: presence, masks, and whether the prompt is used at all."""
