"""Derivatives against finite differences: of functions, and of backward passes by hand."""
