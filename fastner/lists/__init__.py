"""What rules are made of, by language: data alone."""
