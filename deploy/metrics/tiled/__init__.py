"""Figures of a detector at one confidence: precision and recall with causes, for pictures cut into tiles."""
