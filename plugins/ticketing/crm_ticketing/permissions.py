"""The plugin's permissions, by name."""

READ = "ticketing.read"
WRITE = "ticketing.write"
INTAKE = "ticketing.intake"
DESK = "ticketing.desk"
POLICIES = "ticketing.policies"
CONFIGURE = "ticketing.configure"

SEE_CUSTOMERS = "customers.read"
"""The core's."""
