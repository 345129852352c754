"""Business calendars: when there is somebody to do the work."""
