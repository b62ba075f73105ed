"""What a model is: facts read from its file, without weights and without a session."""
