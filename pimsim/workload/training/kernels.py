"""Floating-point operations of the kernels that GPU cores run in training, counted by hand from the formulas.

A fused multiply-add counts two.  All are counts of a straightforward kernel; such kernels wait for memory rather than
for arithmetic, so that one operation more or less changes little.
"""

from __future__ import annotations

LOSS = 6
"""A logit of softmax cross-entropy: maximum, difference, exponential, sum, quotient; difference from the label."""

ACTIVATION = 1
"""A value through an activation that is fused into a kernel."""

STATISTICS = 3
"""x of BatchNorm: add it, square it, add the square."""

COMBINE = 10
"""Channel, after the sums of all bands: mean (1), variance (3), plus epsilon and reciprocal root (2), and the running
mean and variance (2 each)."""

NORMALISE = 4
"""x: difference from the mean, times 1/sigma, times gamma, plus beta (Ioffe and Szegedy, ICML 2015, algorithm 1)."""

BACKWARD_STATISTICS = 4
"""dy: add it; x less the mean, times dy, add it (the sums of Ioffe and Szegedy, section 3; 1/sigma is taken out)."""

BACKWARD_COMBINE = 12
"""Channel, after the sums of all bands: 1/sigma (1), both means (2), gamma/sigma (1); step of gamma and of beta with
momentum (4 each)."""

BACKWARD_NORMALISE = 6
"""dx = gamma/sigma (dy - mean(dy) - x^ mean(dy x^)): x less the mean, times 1/sigma, times the mean; two differences;
the factor before the bracket."""

MASK = 4
"""An activation behind a normalisation, going back: times gamma, plus beta, derivative, product."""

BACKWARD = {"Softmax": 4, "LogSoftmax": 4, "QLinearSoftmax": 4}
"""dy of a normalisation of one image, by type; dx = y (dy - sum(y dy)) for softmax."""

BACKWARD_PER_IMAGE = BACKWARD_STATISTICS + BACKWARD_NORMALISE
"""dy of layer, group and instance norm: sums and gradient in one kernel."""

GRADIENT = 2
"""Multiply-accumulate of a weight gradient."""

OPTIMISER = 4
"""Weight, of SGD with momentum: m = mu m + g (2), step = -eta m, rounded to the cells' levels (2)."""

OPTIMISER_VALUES = 4
"""Values a weight moves in memory: gradient and momentum in, momentum and step out."""

ACCUMULATE_VALUES = 2
"""Values a weight moves in memory for each kernel: the sum of gradients so far, in and out."""
