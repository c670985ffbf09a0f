"""The commands of this room; light to import, because --help imports them."""
