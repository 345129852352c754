"""What `analytics { … }` answers: the rows that each metric takes, read from the kept figures, and its
field."""
