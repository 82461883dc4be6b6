"""Where numbers go wrong, and where derivatives are a matter of convention."""
