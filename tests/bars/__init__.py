"""Bars that take real weights and minutes: what 8 bits cost, beside what peers' 8 bits cost."""
