"""Prompted segmentation in plain numpy: what is asked of a picture, what is true, what was answered."""
