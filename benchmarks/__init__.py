"""Measured speeds of the parts a user waits for, with the usual alternatives measured beside them."""
