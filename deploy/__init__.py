"""The ground floor under every room: contracts, errors, store, metrics, statistics and the command table."""

__version__ = "0.1.0"
