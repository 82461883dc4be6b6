"""Graphs in pictures: drawings, and pages that step through a sweep or a training."""
