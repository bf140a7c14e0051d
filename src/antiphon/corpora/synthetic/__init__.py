"""Synthetic music: the demo corpus, and the composer and players that make it."""

from antiphon.corpora.synthetic.demo import CORPUS_KIND

__all__ = ["CORPUS_KIND"]
