"""The README and the documentation, generated from the code and tested against it."""
