"""What real cells do: one file a phenomenon, pure functions of arrays.

Conductances are in siemens, times in seconds, as in the equations; nothing here knows of configurations.
Whatever is drawn comes from a generator that is handed in, see :mod:`pimsim.device.streams`.
"""
