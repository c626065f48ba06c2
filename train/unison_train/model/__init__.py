"""The network of UNISON (arXiv 2605.31530) and flow matching on it."""
