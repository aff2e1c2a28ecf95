"""The child programs."""
