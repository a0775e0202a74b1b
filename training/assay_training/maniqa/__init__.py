"""MANIQA: a vision transformer whose channels and windows attend to one another, scored patch by patch."""
