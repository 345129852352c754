"""Teams, and who gets a ticket."""
