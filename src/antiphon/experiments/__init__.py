"""Campaigns, comparisons and analyses of trained models."""
