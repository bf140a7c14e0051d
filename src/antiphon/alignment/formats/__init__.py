"""File formats of alignments; a module of this package that defines `FORMAT`, an `AlignmentFormat`, is one."""
