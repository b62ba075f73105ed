"""Custom operators: what a package of operators implements (`spec`), and how the core finds and runs them."""
