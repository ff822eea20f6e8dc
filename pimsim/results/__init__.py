"""Counters become a priced Result that can be saved, loaded and compared.

`counting` says what was done, `pricing` what it costs, `time_split` why time was lost, `usage` what was busy,
`wear` what programming does to the cells; `assembly` makes the Result of them, `files` writes and reads it, `trace`
streams a timeline for Perfetto.
"""

from pimsim.results.assembly import build_result, reprice, with_ideal_network
from pimsim.results.files import load_result, result_json, save_result
from pimsim.results.record import Result
from pimsim.results.wear import programming_wear, with_endurance

__all__ = [
    "Result",
    "build_result",
    "load_result",
    "programming_wear",
    "reprice",
    "result_json",
    "save_result",
    "with_endurance",
    "with_ideal_network",
]
