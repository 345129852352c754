"""How satisfied customers are: invitations after a ticket was resolved, ratings, and what they come to."""
