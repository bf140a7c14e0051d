"""Composed music: the demo corpus and its composer."""

from antiphon.corpora.synthetic.demo import CORPUS_KIND as CORPUS_KIND  # where the table of kinds looks for it
