"""Evaluating what was trained: every model on the same pictures and prompts, by one stated protocol."""
