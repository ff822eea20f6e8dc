"""Timing behaviour of the hardware, one file a component."""
