"""Multipliers for a time: double points at the weekend, half as much again for gold."""
