"""Data sets: images with labels in three parts, split once and for all trials alike."""
