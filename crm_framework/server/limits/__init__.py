"""What one client, or all of them together, may ask of the server."""
