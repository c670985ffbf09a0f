"""What every quantizer shares: which layers stay wide, and how much each one costs."""
