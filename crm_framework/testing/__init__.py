"""What plugin authors import in their tests. The fixtures come by themselves: see `fixtures.py`."""
