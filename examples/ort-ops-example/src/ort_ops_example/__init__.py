"""Example operators: `text` for the domain example.text, `vision` for example.vision."""
