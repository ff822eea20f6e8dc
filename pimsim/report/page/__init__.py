"""`pimsim report`: results, executions and studies as one HTML file that needs nothing else.

`versus` sets results beside baselines, `points` is a study as the report sees it; `drawing` keeps a figure with its
message and its numbers, `html` writes, and `sections` says what stands on the page; `build` puts it into files.
"""
