"""One page with the pictures that a manager asks for."""
