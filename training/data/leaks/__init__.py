"""What a training and an evaluation set must not share, and how to find it."""
