"""The documentation; pages that can be read from the code are generated from it."""
