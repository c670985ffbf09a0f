"""The ladder: one fix after another, each with the same budget and seeds, and only what helps is kept."""
