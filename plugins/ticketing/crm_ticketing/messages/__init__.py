"""Messages of tickets: public, internal and automatic ones; their files; and how they are found."""
