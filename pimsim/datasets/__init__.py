"""Real images for networks to be executed on: named datasets, and a user's own files in their usual formats.

Nothing is downloaded: a named dataset comes with a package that is installed beforehand, or is read from a folder.
"""

from pimsim.datasets.records import Dataset, Split
from pimsim.datasets.registry import NAMED, load_dataset

__all__ = ["NAMED", "Dataset", "Split", "load_dataset"]
