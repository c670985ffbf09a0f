"""The loop: deterministic, resumable to the bit, and free of any knowledge of what is learned."""
