"""Results as people read them: a table, Markdown, or one HTML page that works offline."""
