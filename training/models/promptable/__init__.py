"""A promptable segmenter in four parts that are exported on their own: picture, text, prompt and masks."""
