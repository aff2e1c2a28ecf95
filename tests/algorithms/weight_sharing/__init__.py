"""Tests of weight sharing."""
