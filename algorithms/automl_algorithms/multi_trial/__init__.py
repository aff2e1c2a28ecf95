"""Algorithms that evaluate whole programs, one trial each: propose, evaluate, feedback."""
