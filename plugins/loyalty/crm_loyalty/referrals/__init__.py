"""Customers who bring others: codes, who came by them, and what both get."""
