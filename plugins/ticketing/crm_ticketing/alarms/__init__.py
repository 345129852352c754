"""Breaches and steps of escalation, each dealt with once, at whatever time a worker comes to it."""
