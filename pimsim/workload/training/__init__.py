"""Training: from one inference to a batch forward, backward, its weight gradients and the update of all weights."""

from pimsim.workload.training.checks import check_dataflow
from pimsim.workload.training.expansion import expand_training, training_dataflow
from pimsim.workload.training.options import Training

__all__ = ["Training", "check_dataflow", "expand_training", "training_dataflow"]
