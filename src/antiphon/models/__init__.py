"""Embedding models: dual encoders (arms, network, towers, injection, descriptors), the template, trained models."""
