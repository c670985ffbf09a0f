"""Labelled data from one format to another, nothing lost on the way."""
