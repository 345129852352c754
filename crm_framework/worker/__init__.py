"""The work that is owed after a change is committed: loops in the server, or apart in `crm worker`."""
