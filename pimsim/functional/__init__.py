"""Values: what comes out of crossbars, exact or as noisy as their devices.

>>> from pimsim.functional import crossbar_matmul, Arithmetic
>>> crossbar_matmul([[1, 2]], [[3], [4]], Arithmetic()).values.tolist()
[[11]]
"""

from pimsim.functional.crossbar import Product, ProgrammedMatrix, crossbar_matmul, program_matrix
from pimsim.mapping.arithmetic import Arithmetic

__all__ = ["Arithmetic", "Product", "ProgrammedMatrix", "crossbar_matmul", "program_matrix"]
