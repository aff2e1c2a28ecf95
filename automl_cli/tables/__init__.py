"""Tabular benchmarks: what the training of a network would have given, looked up instead."""
