"""Labels that a model proposes, what it is unsure of, and what people seem to have missed."""
