"""Training: tasks, models, data and the loop; produces checkpoints."""
