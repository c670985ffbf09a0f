"""Runs Core ML's ML Programs op by op with torch, on any operating system."""
