"""Pictures that are there more than once: found by hash, likeness and proof, moved aside, never deleted."""
