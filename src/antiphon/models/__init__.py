"""Dual encoders and the template: arms, network, towers, injection, descriptors, trained models."""
