"""The plugin's permissions, by name."""

READ = "ticketing.read"
WRITE = "ticketing.write"
POLICIES = "ticketing.policies"
CONFIGURE = "ticketing.configure"
