"""Loading: from a file or bytes to a graph at one opset, and back to a file."""
