"""Word lists that rules are made of: data alone."""
