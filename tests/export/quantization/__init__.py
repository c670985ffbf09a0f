"""Tests of calibration, sensitivity and the automatic mix."""
