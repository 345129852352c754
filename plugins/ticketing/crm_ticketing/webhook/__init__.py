"""Tickets from other systems: signed requests that open a ticket or add a message."""
