"""The network, free of hardware: read it, look at its operations, lower it to windows and regions."""

from pimsim.workload.builder import Builder
from pimsim.workload.catalogue import load_workload, shipped
from pimsim.workload.dataflow import Dataflow, Edge, Matrix, Node
from pimsim.workload.layers import workload_schema
from pimsim.workload.lowering import lower
from pimsim.workload.records import Operation, Tensor, Workload
from pimsim.workload.training import Training, expand_training, training_dataflow

__all__ = [
    "Builder",
    "Dataflow",
    "Edge",
    "Matrix",
    "Node",
    "Operation",
    "Tensor",
    "Training",
    "Workload",
    "expand_training",
    "load_workload",
    "lower",
    "shipped",
    "training_dataflow",
    "workload_schema",
]
