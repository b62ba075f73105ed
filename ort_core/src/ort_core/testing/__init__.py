"""What provider authors test with: the fake device."""
