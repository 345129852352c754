"""What earns points, and how many: rules as functions of values, and the events that they are asked about."""
