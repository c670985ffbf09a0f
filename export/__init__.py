"""Export: converts checkpoints, proves the files, and measures their accuracy drop."""
