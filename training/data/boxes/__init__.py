"""Pictures with boxes as a detector learns them: tile by tile, jittered, with objects pasted in."""
