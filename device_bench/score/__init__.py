"""Scores, computed from raw samples and masks every time they are read; nothing here is stored."""
