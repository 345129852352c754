"""What is bought together, and what follows from that for each customer."""
