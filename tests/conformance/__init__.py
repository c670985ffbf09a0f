"""coremltools' own tests, with predictions answered by our runner: ``python -m tests.conformance``."""
