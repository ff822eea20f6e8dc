"""Checks against the outside: published figures beside pimsim's."""
