"""Tests of the search algorithms: laws over the whole catalogue, then each by itself."""
