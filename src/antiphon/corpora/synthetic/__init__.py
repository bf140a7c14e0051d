"""Composed music: the demo corpus and the composer behind it."""

from antiphon.corpora.synthetic.demo import CORPUS_KIND as CORPUS_KIND  # found here by the registry of corpora
