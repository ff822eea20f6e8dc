"""Every record of a system description: system > chip > tile > IMA > crossbar.

A record is frozen, knows no other key than its fields, and says in each field's
comment the unit and, where it is not in the field's name, the meaning.  Counts and
rates that follow from these fields are properties; nothing derived is ever typed in.
Numbers that come from a paper are in ``arch_configs/*.yaml``, beside their source.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from pimsim.config.base import Bits, Count, NotNegative, Positive, Resolution, Spec
from pimsim.config.cost import Cost, Priced
from pimsim.config.gpu import GpuCore, TierKind
from pimsim.config.mitigation import Mitigation
from pimsim.config.network import Grid, Network
from pimsim.config.placement import SEARCHES, Amosa, Annealing, PlacementName
from pimsim.config.thermal import Thermal
from pimsim.config.training import TrainingKeys


class Edram(Priced):
    """The tile's eDRAM buffer."""

    scales_with = ("kib", "banks", "width_bits", "clock_ghz")

    kib: Count  #: capacity [KiB]
    banks: Count  #: banks that work at the same time
    width_bits: Count  #: bits one bank delivers in a clock
    clock_ghz: Positive


class Bus(Priced):
    """The bus between the eDRAM and the IMAs of a tile."""

    scales_with = ("wires", "clock_ghz")

    wires: Count  #: bits in a clock
    clock_ghz: Positive


class DigitalUnit(Priced):
    """A digital unit of a tile that works through values at a fixed rate."""

    scales_with = ("values_per_clock", "clock_ghz")

    count: Count  #: units in a tile
    values_per_clock: Positive = 1.0  #: values one unit finishes in a clock
    clock_ghz: Positive


class Register(Priced):
    """An input or output register."""

    scales_with = ("bytes", "vector_ns")

    bytes: Count  #: capacity


class Crossbar(Priced):
    """An array of resistive cells."""

    scales_with = ("rows", "columns")

    rows: Count  #: wordlines
    columns: Count  #: bitlines
    cell_bits: Bits  #: bits of a weight that one cell holds
    encoding: Literal["offset", "flip", "differential"] = "offset"  #: how signed weights lie in cells that hold levels
    #: offset: weight + 2^(bits - 1), which a unit column takes off again; flip: the same, but a column whose levels
    #: add up to more than the ADC holds is stored inverted (ISAAC); differential: one column for positive weights,
    #: one for negative ones
    unit_column: Literal["digital", "analog"] = "digital"
    #: how the driven wordlines are counted that offset and flip need: exactly, or by a column of cells and its ADC
    active_wordlines: Count | None = None  #: wordlines driven in one read; None: all rows
    read_ns: Positive  #: one analog read of the driven wordlines
    write_row_ns: Positive  #: programming one row
    write_cell_pj: NotNegative  #: programming one cell
    write_pulses: Count = 1  #: pulses until a row holds (write and verify), each as long and as dear as the two above
    write_source: str = Field(min_length=1)  #: where the write figures are from

    @model_validator(mode="after")
    def _wordlines_fit(self) -> Crossbar:
        if self.active_wordlines is not None and self.active_wordlines > self.rows:
            raise ValueError(f"active_wordlines is {self.active_wordlines}, but the crossbar has {self.rows} rows")
        return self

    @property
    def wordlines(self) -> int:
        """Wordlines driven in one read."""
        return self.active_wordlines or self.rows

    def columns_of_weight(self, weight_bits: int) -> int:
        """Columns that one weight takes: a cell for each slice, two where a pair bears the sign."""
        if self.encoding == "differential":
            return 2 * max(1, -(-(weight_bits - 1) // self.cell_bits))
        return -(-weight_bits // self.cell_bits)


class Adc(Priced):
    """The analog-to-digital converters of an IMA."""

    scales_with = ("bits", "sample_rate_gsps")

    count: Count  #: converters in one IMA
    bits: Resolution  #: output resolution; 0: ideal, every sum comes out as it is, and no price is known
    range: Literal["levels", "full", "calibrated"] = "levels"
    #: size of a step: one level of a cell, whatever sums there are; so that the largest possible sum of a column fits;
    #: or so that those fit which the layer has shown in calibration
    sample_rate_gsps: Positive  #: conversions of one converter in a ns
    columns: Count  #: columns multiplexed onto one converter


class Dac(Priced):
    """The drivers of a crossbar's wordlines: one for each row of each crossbar."""

    scales_with = ("bits", "read_ns")

    bits: Bits  #: bits of an input that one read drives


class SampleHold(Priced):
    """Sample-and-hold: one for each column of each crossbar."""

    scales_with = ("read_ns",)


class ShiftAdd(Priced):
    """The shift-and-add units of an IMA."""

    scales_with = ("conversions_gsps",)

    count: Count  #: units in one IMA


class Ima(Spec):
    """In-situ multiply-accumulate unit: crossbars with their converters."""

    crossbars: Count  #: crossbars in one IMA
    crossbar: Crossbar
    adc: Adc
    dac: Dac
    sample_hold: SampleHold
    shift_add: ShiftAdd
    input_register: Register
    output_register: Register

    @model_validator(mode="after")
    def _every_column_has_an_adc(self) -> Ima:
        columns = self.crossbars * self.crossbar.columns
        if self.adc.count * self.adc.columns < columns:
            raise ValueError(
                f"{self.adc.count} ADCs of {self.adc.columns} columns do not reach the {columns} columns of "
                f"{self.crossbars} crossbars: adc.columns must be at least {-(-columns // self.adc.count)}"
            )
        return self


class Tile(Spec):
    """A tile: IMAs around an eDRAM buffer, with digital units and a share of a router."""

    imas: Count  #: IMAs in one tile
    ima: Ima
    edram: Edram
    bus: Bus
    output_register: Register
    sigmoid: DigitalUnit  #: activation look-up
    maxpool: DigitalUnit  #: comparisons
    shift_add: DigitalUnit  #: additions across IMAs and tiles
    vector: DigitalUnit  #: multiplications and everything else that is digital


class Noc(Priced, Network):
    """The network of a chip, with the cost of one router."""

    scales_with = ("flit_bits", "ports", "clock_ghz")
    replaced: ClassVar[dict[str, str]] = {
        "mesh": "write topology: {kind: mesh, shape: [...]}",
        "hop_cycles": "it follows from the delays under router and the latency of links under topology",
        "inject_cycles": "it follows from router.inject_latency",
    }  #: keys of earlier files, and what to write instead

    cost: Cost = Cost(source="Not priced: no cost of a router is given")


class Dram(Spec):
    """Memory beside a chip, used only where ``mapping.spill`` is ``dram``."""

    gb_per_s: Positive  #: 1e9 bytes a second
    latency_ns: NotNegative  #: of every access
    pj_per_bit: NotNegative  #: read or written
    source: str = Field(min_length=1)  #: where the figures are from


class ChipLinks(Priced):
    """Links between chips: store and forward."""

    scales_with = ("gb_per_s",)

    count: Count  #: links of a chip
    gb_per_s: Positive  #: each link, each direction, 1e9 bytes a second
    latency_ns: NotNegative  #: of every packet, beside its bytes


class Chip(Spec):
    """A chip: tiles on a network, and links to other chips."""

    tiles: Count  #: tiles on one chip
    tile: Tile
    noc: Noc
    links: ChipLinks
    dram: Dram | None = None
    tiers: Annotated[tuple[TierKind, ...], Field(min_length=1)] | None = None
    #: what the tiles of each tier are, z = 0 first, the farthest from the heat sink; None: all ReRAM
    gpu_core: GpuCore | None = None  #: every tile of a gpu tier
    thermal: Thermal = Thermal()  #: the way out for heat

    @model_validator(mode="after")
    def _tiles_fit_the_network(self) -> Chip:
        if self.tiles > self.noc.terminals:
            raise ValueError(
                f"{self.tiles} tiles do not fit {self.noc.terminals} places of the {self.noc.topology.kind} "
                "(routers x concentration)"
            )
        return self

    @model_validator(mode="after")
    def _tiers_are_those_of_the_network(self) -> Chip:
        if self.tiers is None:
            return self
        topology = self.noc.topology
        if not isinstance(topology, Grid) or len(topology.shape) != 3:
            raise ValueError(f"tiers names {len(self.tiers)}, but the network has none: noc.topology must be a mesh or "
                             "torus whose shape is [x, y, z]")  # fmt: skip
        if len(self.tiers) != topology.shape[2]:
            raise ValueError(f"tiers names {len(self.tiers)}, but the network's shape {list(topology.shape)} has "
                             f"{topology.shape[2]}")  # fmt: skip
        if len(self.tiers) > 1 and not topology.links_of_dimensions[2].vertical:
            raise ValueError("the network has no vertical links between the tiers: noc.topology.links must have three "
                             "items, the third with vertical: true")  # fmt: skip
        if self.tiles <= self.noc.terminals - self.noc.terminals // len(self.tiers):
            raise ValueError(f"{self.tiles} tiles do not reach the last of {len(self.tiers)} tiers, which hold "
                             f"{self.noc.terminals // len(self.tiers)} each")  # fmt: skip
        if "gpu" in self.tiers and self.gpu_core is None:
            raise ValueError("tiers names gpu, but chip.gpu_core is not given")
        return self

    @property
    def on_gpu(self) -> tuple[bool, ...]:
        """(tiles,) whether each tile is a GPU core."""
        if self.tiers is None:
            return (False,) * self.tiles
        in_tier = self.noc.terminals // len(self.tiers)
        return tuple(self.tiers[tile // in_tier] == "gpu" for tile in range(self.tiles))

    @property
    def gpu_cores(self) -> int:
        """Tiles that are GPU cores."""
        return sum(self.on_gpu)

    @property
    def reram_tiles(self) -> int:
        """Tiles with crossbars."""
        return self.tiles - self.gpu_cores


class ChipGraph(Spec):
    """How the chips of a system are joined."""

    kind: Literal["mesh", "ring"] = "mesh"  #: neighbours in a rectangle, or in a circle
    columns: Count | None = None  #: mesh width; None: as square as the number of chips allows

    @model_validator(mode="after")
    def _a_ring_has_no_columns(self) -> ChipGraph:
        if self.kind == "ring" and self.columns is not None:
            raise ValueError("columns belong to kind: mesh; with ring they must be null")
        return self


class Host(Spec):
    """Where images come from and results go: one link into the first chip."""

    gb_per_s: Positive  #: each direction, 1e9 bytes a second
    latency_ns: NotNegative  #: of every transfer, beside its bytes
    source: str = Field(min_length=1)  #: where the figures are from


StageName = Literal[
    "input_read", "crossbar_read", "conversion", "shift_add", "output_transfer", "activation", "edram_write"
]
Resource = Literal["edram", "bus", "crossbar", "adc", "ima_shift_add", "tile_shift_add", "digital"]


STAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "input_read": ("bits", ("edram", "bus")),
    "crossbar_read": ("reads", ("crossbar",)),
    "conversion": ("reads", ("adc",)),
    "shift_add": ("reads", ("ima_shift_add",)),
    "output_transfer": ("bits", ("bus",)),
    "activation": ("values", ("tile_shift_add", "digital")),
    "edram_write": ("bits", ("edram",)),
}
"""How each stage occupies, and what: a resource left out of the table is then never waited for by that stage."""


class Stage(Spec):
    """One row of the pipeline table."""

    stage: StageName  #: what happens
    resource: tuple[Resource, ...]  #: what is busy with it
    latency_ns: Positive  #: earliest end after its start
    occupancy: Literal["bits", "reads", "values"]  #: how long the resource is busy, apart from the latency
    #: bits: bits / width clocks of each resource; reads: once a crossbar read; values: values / rate clocks

    @model_validator(mode="after")
    def _occupies_what_it_can(self) -> Stage:
        occupancy, resources = STAGES[self.stage]
        wrong = [name for name in self.resource if name not in resources]
        if wrong or len(set(self.resource)) != len(self.resource):
            raise ValueError(f"resource of {self.stage} may be {', '.join(resources)}, each once at most")
        if self.stage in ("crossbar_read", "shift_add") and not self.resource:
            raise ValueError(f"resource of {self.stage} must be {', '.join(resources)}")
        if self.occupancy != occupancy:
            raise ValueError(f"occupancy of {self.stage} must be {occupancy}")
        return self


class Pipeline(Spec):
    """The pipeline of a tile as a table."""

    schedule: Literal["slotted", "dynamic"]  #: whether stages start on slots
    slot_ns: Positive | None = None  #: slotted only (dynamic drops it): results are taken over at multiples of this
    stages: tuple[Stage, ...]  #: every stage once, in order
    source: str = Field(min_length=1)  #: where the table is from

    @model_validator(mode="after")
    def _complete(self) -> Pipeline:
        wanted = list(get_args(StageName))
        if [stage.stage for stage in self.stages] != wanted:
            raise ValueError("stages must be, in this order: " + ", ".join(wanted))
        if self.schedule == "slotted" and self.slot_ns is None:
            raise ValueError("schedule: slotted needs slot_ns")
        if self.slot_ns is not None and self.slot_ns < 0.001:
            raise ValueError("slot_ns must be at least 0.001, the clock of the simulator")
        return self

    @model_validator(mode="before")
    @classmethod
    def _dynamic_has_no_slot(cls, data: Any) -> Any:
        """Lets ``schedule: dynamic`` alone switch a slotted base over."""
        if isinstance(data, dict) and data.get("schedule") == "dynamic":
            return data | {"slot_ns": None}
        return data

    def occupies(self, name: str, resource: str) -> bool:
        """Whether the stage called ``name`` keeps the resource busy."""
        return any(stage.stage == name and resource in stage.resource for stage in self.stages)

    def latency_ns(self, name: str) -> float:
        """Latency of the stage called ``name`` [ns]."""
        return next(stage.latency_ns for stage in self.stages if stage.stage == name)


class Mapping(Spec):
    """How a network is laid onto the system."""

    weight_bits: Bits = 16  #: bits of a weight
    input_bits: Bits = 16  #: bits of an activation
    layer_weight_bits: dict[str, Bits] = Field(default_factory=dict)  #: exceptions by layer
    weight_scale: Literal["per_tensor", "per_channel"] = "per_tensor"  #: what shares one quantisation step
    scale: Literal["real", "power_of_two"] = "real"  #: quantisation steps: any, or those of a fixed point
    unsigned_inputs: bool = False
    #: whether inputs that calibration never saw negative are taken without a sign: one bit finer
    accumulation: Literal["wide", "register"] = "wide"
    #: partial sums of crossbars: exact, or shifted and cut off to the bits of an output register, saturating (ISAAC)
    register_bits: Bits = 16  #: accumulation: register only
    replication: Literal["balanced", "none"] = "balanced"  #: each layer as fast as the next needs, or one copy each
    interval_windows: Count | None = None
    #: balanced: windows a replica works through for one image; None: the fewest that fit
    layer_replication: dict[str, Count] = Field(default_factory=dict)  #: exceptions by layer
    windows: Literal["strips", "interleaved"] = "strips"  #: which replica takes which window
    crossbar_order: Literal["columns", "rows"] = "columns"  #: what stays together when a layer spans tiles
    placement: PlacementName = "snake"
    #: where the tiles of a layer lie: snake or bands, searched for by annealing or amosa, or a file that was saved
    annealing: Annealing | None = None  #: keys of placement: annealing
    amosa: Amosa | None = None  #: keys of placement: amosa
    spill: Literal["error", "dram"] = "error"  #: what happens where eDRAM is too small
    mitigation: Mitigation = Mitigation()  #: what is done against cells that are not as they should be

    @model_validator(mode="before")
    @classmethod
    def _a_search_has_its_keys(cls, data: Any) -> Any:
        """Shows the defaults of the search that is asked for."""
        name = data.get("placement") if isinstance(data, dict) else None
        return data | {name: {}} if name in SEARCHES and data.get(name) is None else data

    @model_validator(mode="after")
    def _only_the_search_asked_for_has_keys(self) -> Mapping:
        for name in SEARCHES:
            if getattr(self, name) is not None and self.placement != name:
                raise ValueError(f"{name} has keys, but placement is {self.placement}: leave them out, or null")
        return self

    @model_validator(mode="after")
    def _an_interval_needs_copies(self) -> Mapping:
        if self.replication == "none" and self.interval_windows is not None:
            raise ValueError("interval_windows belongs to replication: balanced; with none it must be null")
        return self


class System(Spec):
    """A system of equal chips."""

    format: Literal["pimsim-system-1"]  #: version of this format
    name: str = Field(min_length=1)  #: the paper's name for the design
    paper: str = ""  #: where the design was published
    chips: Count | Literal["auto"]  #: auto: the fewest that hold the network
    chip_graph: ChipGraph = ChipGraph()
    chip: Chip
    host: Host
    pipeline: Pipeline
    mapping: Mapping = Mapping()
    training: TrainingKeys = TrainingKeys()
    idle: Literal["gated", "leaking"] = "gated"  #: unused tiles and chips: no static power, or all of it

    @model_validator(mode="after")
    def _spilling_needs_dram(self) -> System:
        if self.mapping.spill == "dram" and self.chip.dram is None:
            raise ValueError("mapping.spill is dram, but chip.dram is not given")
        return self


class NetworkFile(Spec):
    """A network by itself, without a chip."""

    format: Literal["pimsim-noc-1"]  #: version of this format
    name: str = Field(min_length=1)  #: what the network is called
    paper: str = ""  #: where it was published
    noc: Noc
