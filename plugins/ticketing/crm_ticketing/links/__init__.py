"""What is tied to tickets: other tickets, followers, tags."""
