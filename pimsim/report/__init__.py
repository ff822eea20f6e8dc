"""A Result as tables for the terminal, plots, and files.  Nothing here runs anything."""
