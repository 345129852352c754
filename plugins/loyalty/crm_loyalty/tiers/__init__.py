"""Tiers: levels that customers reach by what they earned or spent in a period."""
