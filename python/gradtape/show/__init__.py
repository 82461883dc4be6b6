"""The same tape, for people: explain, draw, animate, check."""
