"""Tickets by e-mail: raw messages are read, judged, freed of quotes, and put into their tickets."""
