"""Device bench: runs artifacts on devices and scores what they send back; never imports torch."""
