"""The intermediate representation: types, tensors, graphs and their rewriting."""
