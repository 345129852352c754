"""What all tickets of a time come to: how fast, how well, how many are left."""
