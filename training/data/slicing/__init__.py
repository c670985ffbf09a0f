"""Data sets cut into tiles: what each tile shows, and which side it belongs to."""
