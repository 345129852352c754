"""Who belonged to segments, as it was."""
