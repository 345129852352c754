"""What customers will probably buy: the models, how they are fitted and kept, and how they show."""
