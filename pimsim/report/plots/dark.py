"""A figure for a dark page: light and dark greys change places, colours stay or become lighter.

Colours that stand for values (of heat maps) stay as they are, and so does text on them: whoever draws these says so
with :func:`means_values`.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

GROUND, INK = "#16181b", "#e8e8e8"  #: of the report's page in dark
LEAST_CONTRAST = 3.0  #: of a graphical object to the ground: WCAG 2.1, success criterion 1.4.11
_NEUTRAL = 0.08  #: largest difference between red, green and blue of a grey
_STEPS = 20  #: towards white
_valued: WeakSet[Artist] = WeakSet()
_light: WeakSet[Figure] = WeakSet()


def means_values(artist: Artist) -> None:
    """Its colours stand for values, or it is text on such a colour: on a dark page they stay, only greys change."""
    _valued.add(artist)


def stays_light(figure: Figure) -> None:
    """Its dark colours stand for the largest values, which would be lost on a dark ground."""
    _light.add(figure)


def darken(figure: Figure) -> bool:
    """Change a figure that was drawn for a light page, in place; False: it is left light."""
    if figure in _light:
        return False
    for artist in figure.findobj():
        if isinstance(artist, Text):
            if artist not in _valued:
                artist.set_color(dark(artist.get_color()))
        elif isinstance(artist, Line2D):
            _line(artist)
        elif isinstance(artist, Patch):
            artist.set(facecolor=_of(artist, artist.get_facecolor()), edgecolor=_of(artist, artist.get_edgecolor()))
        elif isinstance(artist, Collection) and artist.get_array() is None:
            faces, edges = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor([_of(artist, colour) for colour in faces])
            artist.set_edgecolor([_of(artist, colour) for colour in edges])
    return True


def _of(artist: Artist, colour: Any) -> Any:
    """Greys always, colours where they stand for no values."""
    return colour if artist in _valued and np.ptp(to_rgba(colour)[:3]) >= _NEUTRAL else dark(colour)


def dark(colour: Any) -> Any:
    """A colour of a light page as it is on a dark one; what is no colour ("none", "auto") as it is."""
    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    red, green, blue, alpha = to_rgba(colour)
    rgb = np.array([red, green, blue])
    ground, ink = (np.array(to_rgba(each)[:3]) for each in (GROUND, INK))
    if np.ptp(rgb) < _NEUTRAL:
        return (*(ink + (ground - ink) * rgb.mean()), alpha)
    lighter = (rgb + (1 - rgb) * step / _STEPS for step in range(_STEPS + 1))
    return (*next(each for each in lighter if contrast(each, ground) >= LEAST_CONTRAST), alpha)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """Contrast ratio of two colours (WCAG 2.1); from 1 to 21.

    Args:
        one, other: (3,) red, green, blue from 0 to 1.
    """
    low, high = sorted(_luminance(each) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb: np.ndarray) -> float:
    """Relative luminance of sRGB (WCAG 2.1)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _line(line: Line2D) -> None:
    faces = line.get_markerfacecolor(), line.get_markeredgecolor()
    line.set_color(dark(line.get_color()))
    line.set_markerfacecolor(dark(faces[0]))
    line.set_markeredgecolor(dark(faces[1]))
