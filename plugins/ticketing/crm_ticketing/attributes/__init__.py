"""Typed attributes of tickets."""
