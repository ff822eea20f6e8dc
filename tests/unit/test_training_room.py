"""Room in the memories of GPU cores for what waits for a barrier."""

from __future__ import annotations

import pytest

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.workload.training import Training, expand_training
from tests.networks import Network


def mapped(batch: int) -> Program:
    """Two normalised layers of 32 channels on cores of 2 MiB, whose work alone would share them 15 to 17."""
    net = Network()
    x = net.batch_norm(net.conv(net.input(32, 32, 3), 32))
    net.fc(net.batch_norm(net.conv(x, 32, stride=2)), 10)
    system = load_system("hetero-3d", ["chip.gpu_core.memory.mib=2", "mapping.replication=none"])
    options = Training(batch, system.chip.tile.ima.crossbar.rows, system.chip.gpu_cores)
    return map_network(expand_training(net.finish(), options), system)


def cores_of_maps(program: Program) -> int:
    """Cores that a normalised map is shared among."""
    (norm,) = [layer.replicas for layer in program.layers if layer.name == "norm2"]
    return norm


def test_a_batch_that_needs_the_memory_of_more_cores_gets_them():
    few, many = mapped(24), mapped(32)
    assert (cores_of_maps(few), cores_of_maps(many)) == (15, 16)
    for program in (few, many):
        assert program.edram_bytes[program.on_gpu].max() <= 2 * 2**20


def test_a_batch_that_fits_on_no_number_of_cores_is_refused():
    with pytest.raises(InputError, match=r"memory of GPU core \d+ is too small"):
        mapped(48)
