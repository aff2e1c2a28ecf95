"""Tests of what is peculiar to each multi-trial algorithm."""
