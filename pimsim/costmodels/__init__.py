"""Closed forms: rooflines of processors, analytical models of chips."""
