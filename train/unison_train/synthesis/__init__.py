"""Online synthesis: training tuples of every task, composed from single clips while training runs."""
