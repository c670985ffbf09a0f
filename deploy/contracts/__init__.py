"""What the rooms hand to each other: frozen pydantic documents, read and written as JSON."""
