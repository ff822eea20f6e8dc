"""`pimsim report`: results, executions and studies as one HTML file that needs nothing else.

`versus` sets results beside baselines, `points` is a study as the report sees it; `drawing` keeps a figure with its
message and its numbers, `html` writes; `runs`, `overview` (more of them than are drawn one by one), `systems`,
`against`, `studies`, `study_versus` and `executions` say what stands on the page; `build` puts it into files.
"""
