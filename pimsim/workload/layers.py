"""The layers of the workload YAML, as records: one class a type, one field a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0, strict=True)]
Amount = Annotated[int, Field(ge=0, strict=True)]
Counts = Count | Annotated[list[Count], Field(min_length=1, max_length=3)]
Padding = Amount | Annotated[list[Amount], Field(min_length=1, max_length=6)] | Literal["same", "valid"]
Activation = Literal[
    "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "hard_swish", "hard_sigmoid", "softplus",
    "mish", "elu", "selu", "exp", "sqrt",
]  # fmt: skip


class Layer(BaseModel):
    """What every layer has."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1)] | None = None  #: default: the type and a running number
    inputs: str | Annotated[list[str], Field(min_length=1)] | None = None  #: default: the layer before
    activation: Activation | None = None  #: applied to the layer's result


class Window(Layer):
    """What slides over a feature map: C x H x W, or C x T."""

    kernel: Counts
    stride: Counts = 1
    padding: Padding = 0  #: the same on all sides, one a dimension, or begin and end of each; or same, valid


class Conv(Window):
    """Convolution; with ``groups`` as many as channels it is depthwise."""

    type: Literal["conv"]
    channels: Count  #: output channels
    dilation: Counts = 1
    groups: Count = 1
    bias: bool = True
    batch_norm: bool = False  #: followed by a BatchNorm before the activation


class DepthwiseConv(Window):
    """Convolution of each channel by itself."""

    type: Literal["depthwise_conv"]
    dilation: Counts = 1
    bias: bool = True
    batch_norm: bool = False


class ConvTranspose(Window):
    """Transposed convolution."""

    type: Literal["conv_transpose"]
    channels: Count
    groups: Count = 1
    output_padding: Amount | list[Amount] = 0
    bias: bool = True
    batch_norm: bool = False


class LocallyConnected(Window):
    """Convolution whose every position has weights of its own."""

    type: Literal["locally_connected"]
    channels: Count
    bias: bool = True


class Linear(Layer):
    """Fully connected: a vector, or each step of a sequence T x D."""

    type: Literal["linear"]
    features: Count  #: outputs
    bias: bool = True


class MatMul(Layer):
    """Product of two feature maps A (T x K) and B (K x S)."""

    type: Literal["matmul"]
    transpose_b: bool = False  #: B is S x K


class Pool(Layer):
    """Pool over windows; the stride is the kernel unless given."""

    type: Literal["max_pool", "avg_pool"]
    kernel: Counts
    stride: Counts | None = None
    padding: Padding = 0
    ceil: bool = False  #: keep the window that hangs over the edge


class GlobalPool(Layer):
    """Pool over all positions."""

    type: Literal["global_avg_pool", "global_max_pool"]


class Function(Layer):
    """Element-wise function as a layer of its own."""

    type: Literal["activation"]
    function: Activation


class Elementwise(Layer):
    """Of two or more inputs."""

    type: Literal["add", "sub", "mul", "div", "max", "min"]


class Concat(Layer):
    """Joins inputs along an axis, 0 being the first behind the batch."""

    type: Literal["concat"]
    axis: int = 0


class Slice(Layer):
    """A range along an axis."""

    type: Literal["slice"]
    axis: int = 0
    start: int = 0
    end: int


class Flatten(Layer):
    """All values as one vector."""

    type: Literal["flatten"]


class Reshape(Layer):
    """Another shape, without the batch; one -1 is what is left."""

    type: Literal["reshape"]
    shape: Annotated[list[int], Field(min_length=1)]


class Transpose(Layer):
    """Dimensions in another order, without the batch: [1, 0] swaps two."""

    type: Literal["transpose"]
    order: Annotated[list[Amount], Field(min_length=1)]


class Resize(Layer):
    """Feature map enlarged or reduced."""

    type: Literal["resize"]
    scale: Annotated[float, Field(gt=0)]
    mode: Literal["nearest", "linear", "cubic"] = "nearest"


class DepthToSpace(Layer):
    """Channels become blocks of positions."""

    type: Literal["depth_to_space", "space_to_depth"]
    block: Count


class Pad(Layer):
    """Zeros around a feature map: the same on all sides, or one a dimension, or begin and end of each."""

    type: Literal["pad"]
    padding: Amount | Annotated[list[Amount], Field(min_length=1)]


class BatchNorm(Layer):
    """Batch normalisation."""

    type: Literal["batch_norm"]


class Norm(Layer):
    """Layer normalisation over the last axis; instance normalisation of each channel."""

    type: Literal["layer_norm", "instance_norm"]


class GroupNorm(Layer):
    """Normalisation over groups of channels."""

    type: Literal["group_norm"]
    groups: Count


class Lrn(Layer):
    """Local response normalisation across channels."""

    type: Literal["lrn"]
    size: Count = 5


class Softmax(Layer):
    """Softmax along an axis."""

    type: Literal["softmax"]
    axis: int = -1


class Recurrent(Layer):
    """LSTM, GRU or plain recurrent layer over a sequence T x D."""

    type: Literal["lstm", "gru", "rnn"]
    hidden: Count
    bidirectional: bool = False
    output: Literal["sequence", "last"] = "sequence"
    bias: bool = True


class Embedding(Layer):
    """A row of a table for each token."""

    type: Literal["embedding"]
    vocabulary: Count
    features: Count


AnyLayer = Annotated[
    Conv | DepthwiseConv | ConvTranspose | LocallyConnected | Linear | MatMul | Pool | GlobalPool | Function
    | Elementwise | Concat | Slice | Flatten | Reshape | Transpose | Resize | DepthToSpace | Pad | BatchNorm | Norm
    | GroupNorm | Lrn | Softmax | Recurrent | Embedding,
    Field(discriminator="type"),
]  # fmt: skip


BatchNormPlaces = Literal["all", "alternate", "third", "none"]
"""Which BatchNorms of a network are kept, in the order of its layers: the first and every second or third one."""


class WorkloadFile(BaseModel):
    """A workload YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    format: Literal["pimsim-workload-1"]
    name: Annotated[str, Field(min_length=1)]
    source: str = ""  #: where the network's table is from
    inputs: Annotated[dict[str, Annotated[list[Count], Field(min_length=1)]], Field(min_length=1)]
    #: shape of each input, without the batch
    batch_norm: BatchNormPlaces = "all"  #: which of the BatchNorms below are there
    layers: Annotated[list[AnyLayer], Field(min_length=1)]
    outputs: Annotated[list[str], Field(min_length=1)] | None = None  #: default: the last layer


def workload_schema() -> dict[str, Any]:
    """JSON Schema of the workload YAML."""
    return WorkloadFile.model_json_schema()
