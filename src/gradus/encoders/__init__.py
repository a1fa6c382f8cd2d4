"""Encoders: towers for text and images, fused into one vector."""
