"""Decoders of what a gateway says about itself: bytes in, updates out."""
