"""What earlier purchases and visits would earn by the rules of now: compared, then corrected if wanted."""
