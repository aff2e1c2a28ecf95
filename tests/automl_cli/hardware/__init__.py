"""Devices: what networks cost on them."""
