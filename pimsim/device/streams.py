"""Random numbers that depend on nothing but what they are for.

Every purpose has a stream of its own: Philox (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011), a
counter-based generator, under a key that is hashed from the seed, the layer, the purpose and a number.  Streams of
different keys are independent, so it does not matter in which order layers are worked on, nor by which thread.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np


def stream(seed: int, layer: str, purpose: str, number: int = 0) -> np.random.Generator:
    """The generator of one purpose, at its beginning.

    Args:
        seed: of the whole run.
        layer: name of the layer, or of the part of it whose cells these are.
        purpose: what the numbers are for, such as ``programming``.
        number: tells apart what happens several times, such as writes.
    """
    words = json.dumps([int(seed), layer, purpose, int(number)])  # unambiguous: parts cannot run into each other
    key = hashlib.blake2b(words.encode("utf-8"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
