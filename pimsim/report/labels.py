"""Names of components, of parts of time and of runs, as people read them."""

from __future__ import annotations

from pimsim.results.notebook import title
from pimsim.results.record import Result

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
    "gpu.gpu_core": "GPU cores",
    "gpu.router": "routers of GPU cores",
    "gpu.memory": "memory of GPU cores",
    "ima.write": "writes of cells",
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
    "GPU core": ("core",),
    "shared crossbars": ("array",),
    "fill": ("fill",),
    "drain": ("drain",),
}
"""Where a layer's time goes, in words; together they are the whole run."""


def component_label(component: str, static: bool = False) -> str:
    """'ima.adc' in words."""
    return COMPONENTS.get(component, component) + (", static" if static else "")


ANALYTICAL = "analytical"  #: ``source.engine`` of an estimate, and ``fidelity`` of its point in a study


def method_words(fidelity: str, network: str) -> str:
    """How figures were found; those of different methods are not averaged.

    Args:
        fidelity: ``analytical``, or any engine's name.
        network: ideal, packet or flit.
    """
    return f"{'analytical estimate' if fidelity == ANALYTICAL else 'simulated'}, {network} network"


def run_title(result: Result) -> str:
    """What was run on what; an estimate says that it is one."""
    return title(result) + (", analytical estimate" if result.source.engine == ANALYTICAL else "")
