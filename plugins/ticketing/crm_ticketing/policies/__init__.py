"""Service-level policies: which tickets must be answered and resolved by when."""
