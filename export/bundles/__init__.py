"""Export a promptable run as bundles: parts by the usual flow, phrases encoded, then tied together."""
