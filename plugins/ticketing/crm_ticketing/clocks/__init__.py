"""Service-level clocks: how long a ticket has waited, and until when it may."""
