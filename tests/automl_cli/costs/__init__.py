"""The costs."""
