"""Tests of the symbolic core."""
