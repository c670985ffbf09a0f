"""What a detector learns from boxes: targets, losses, and figures of tiles."""
