"""What revenue is to be expected."""
