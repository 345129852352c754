"""One metric a file: its definition, the pure function that is it, and the SQL of the rows that it takes."""
