"""A graph in words: the hand calculation, the list, formulas."""
