"""Calibration: which pictures, what ranges they give, and which way of taking ranges fits the model best."""
