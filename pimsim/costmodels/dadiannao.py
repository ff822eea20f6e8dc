"""DaDianNao (MICRO 2014) layer by layer, in closed form: the machine that ISAAC compares itself with.

Everything here is recalled, not read, and nothing in ISAAC's text says how its authors modelled it: these numbers can
put a ratio beside theirs, they cannot confirm it.

A chip has 16 tiles.  In a cycle a tile takes 16 input values and multiplies them by the weights of 16 outputs.  Layers
run one after another; the (position, group of 16 outputs) pairs of a layer are dealt to the tiles of all chips, each
takes one cycle for 16 of its inputs.  Weights stay in the tiles' eDRAM, which delivers them at full rate.  Inputs that
lie on other chips come over the chip's links while the layer computes: of a convolution the rows at the edge of a
chip's band, of a fully connected layer everything.  Pooling and activation take no time of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pimsim.errors import InputError
from pimsim.workload.records import Operation, Workload

CONVOLUTIONS = ("Conv", "LocallyConnected")
PRODUCTS = ("Gemm", "MatMul")


@dataclass(frozen=True)
class DaDianNao:
    """Parameters of a chip; all recalled, apart from the power, which ISAAC quotes."""

    tiles: int = 16
    inputs_at_once: int = 16  #: of a tile in a cycle
    outputs_at_once: int = 16  #: of a tile in a cycle
    clock_ghz: float = 0.606
    peak_ops_per_cycle: int = 9216  #: 16 tiles of 288 multipliers and 288 adders: 5.58 TOPS, as the paper counts
    weight_mb: float = 32.0  #: eDRAM of the tiles; 4 MB more hold values between layers
    bytes_per_value: int = 2
    links: int = 4
    gb_per_s: float = 6.4  #: of a link
    power_w: float = 20.1

    @property
    def peak_tops(self) -> float:
        """As the paper counts, adders of the pooling stage included."""
        return self.peak_ops_per_cycle * self.clock_ghz / 1000

    @property
    def macs_per_cycle(self) -> int:
        """What convolutions and fully connected layers can use."""
        return self.tiles * self.inputs_at_once * self.outputs_at_once


@dataclass(frozen=True)
class LayerTime:
    """One layer for one input."""

    name: str
    macs: int
    compute_ns: float
    transfer_ns: float

    @property
    def time_ns(self) -> float:
        """Transfers are hidden behind the computation as far as they can."""
        return max(self.compute_ns, self.transfer_ns)


@dataclass(frozen=True)
class DaDianNaoTime:
    """A network, layer after layer."""

    workload: str
    chips: int
    layers: tuple[LayerTime, ...]
    power_w: float  #: of all chips

    @property
    def time_ns(self) -> float:
        """Of one input."""
        return sum(layer.time_ns for layer in self.layers)

    @property
    def inferences_per_s(self) -> float:
        """One input after another."""
        return 1e9 / self.time_ns

    @property
    def energy_uj(self) -> float:
        """Of one input, at the chips' full power: an upper bound."""
        return self.power_w * self.time_ns / 1e3


def fewest_chips(workload: Workload, chip: DaDianNao | None = None) -> int:
    """Chips whose tiles hold the weights."""
    chip = chip or DaDianNao()
    return math.ceil(workload.parameters * chip.bytes_per_value / (chip.weight_mb * 1e6))


def dadiannao(workload: Workload, chips: int = 16, chip: DaDianNao | None = None) -> DaDianNaoTime:
    """Time of a network on some chips.

    Raises:
        InputError: its weights do not fit, or it has products with weights that the model does not know.
    """
    chip = chip or DaDianNao()
    if chips < fewest_chips(workload, chip):
        raise InputError(f"the weights of {workload.name} do not fit {chips} chips of DaDianNao", key="chips",
                         allowed=f"at least {fewest_chips(workload, chip)}")  # fmt: skip
    layers = []
    for operation in workload.operations:
        if operation.type in (*CONVOLUTIONS, *PRODUCTS):
            layers.append(_layer(workload, operation, chips, chip))
        elif operation.macs:
            raise InputError(f"DaDianNao's model knows no {operation.type} ('{operation.name}')",
                             allowed=(*CONVOLUTIONS, *PRODUCTS))  # fmt: skip
    return DaDianNaoTime(workload.name, chips, tuple(layers), chips * chip.power_w)


def _layer(workload: Workload, operation: Operation, chips: int, chip: DaDianNao) -> LayerTime:
    source, output = workload.shape(operation.inputs[0]), workload.shape(operation.outputs[0])
    convolution = operation.type in CONVOLUTIONS
    channels = output[1] if convolution else output[-1]
    groups = int(operation.attributes.get("group") or 1)
    positions = math.prod(output) // channels
    inputs = operation.macs // math.prod(output)
    pairs = positions * groups * math.ceil(channels / groups / chip.outputs_at_once)
    cycles = math.ceil(pairs / (chip.tiles * chips)) * math.ceil(inputs / chip.inputs_at_once)
    values = _halo(source, operation) if convolution else math.prod(source) * (chips - 1) / chips
    moved = values * chip.bytes_per_value if chips > 1 else 0.0
    return LayerTime(
        operation.name, operation.macs, cycles / chip.clock_ghz, moved / (chip.links * chip.gb_per_s)
    )


def _halo(source: tuple[int, ...], operation: Operation) -> float:
    """Values that a chip needs of its neighbours' bands of rows; at most the whole map."""
    _, channels, height, width = source
    kernel = int((operation.attributes.get("kernel_shape") or (1,))[0])
    stride = int((operation.attributes.get("strides") or (1,))[0])
    return channels * width * min(height, max(kernel - stride, 0))
