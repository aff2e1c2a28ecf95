"""Tabular benchmarks: where results come from, and what they say."""
