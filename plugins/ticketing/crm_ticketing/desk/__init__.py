"""What staff work with: saved views and queues, templates of replies, notes of what is known."""
