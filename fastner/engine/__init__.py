"""What runs a model's networks."""
