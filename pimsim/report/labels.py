"""Names of components and of parts of time, as people read them."""

from __future__ import annotations

COMPONENTS = {
    "ima.crossbar": "crossbars",
    "ima.dac": "DACs",
    "ima.sample_hold": "sample-and-hold",
    "ima.adc": "ADCs",
    "ima.shift_add": "IMA shift-and-add",
    "ima.input_register": "input registers",
    "ima.output_register": "IMA output registers",
    "tile.edram": "eDRAM",
    "tile.bus": "eDRAM bus",
    "tile.router": "routers",
    "tile.output_register": "tile output registers",
    "tile.sigmoid": "sigmoid units",
    "tile.maxpool": "max-pool units",
    "tile.shift_add": "tile shift-and-add",
    "tile.vector": "vector units",
    "chip.channel": "channels between routers",
    "chip.link": "chip links",
    "chip.dram": "DRAM",
}

TIME_GROUPS = {
    "compute": ("compute",),
    "inputs": ("input",),
    "eDRAM": ("edram",),
    "bus": ("bus",),
    "network": ("network",),
    "back-pressure": ("space",),
    "fill": ("fill",),
    "drain": ("drain",),
}
"""Where a layer's time goes, in words; together they are the whole run."""


def component_label(component: str, static: bool = False) -> str:
    """'ima.adc' in words."""
    return COMPONENTS.get(component, component) + (", static" if static else "")
