"""Embedders without learning."""
