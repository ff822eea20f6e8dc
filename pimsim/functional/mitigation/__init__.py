"""What is done against cells that are not as they should be, one file a method.

    clipping      weights are cut off before they are quantised
    permutation   rows and columns change places around stuck cells
    correction    what stuck cells add is taken off digitally
    vote          the median of copies

`known_faults` holds the stuck cells that a test has found, `matrices` what all matrices in crossbars have in common,
and `costs` what each method takes and brings, in words.
"""

from pimsim.functional.mitigation.programming import program_mitigated

__all__ = ["program_mitigated"]
