"""A small world of fixed cameras: people of a few pixels with and without helmets, exactly labelled."""
