"""Pictures: reading them, and the declared way to a model's input."""
