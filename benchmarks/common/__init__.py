"""What every benchmark shares: the model, the race, the floor and the report."""
