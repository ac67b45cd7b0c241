"""What rules are made of, by language: data alone; and lists of phrases that a user has."""
