"""Networks on data: the layers that a Program holds run on crossbars, everything else in numpy.

`weights` reads the ONNX file with its values; `graph` makes steps of it, with BatchNorm folded (`folding`); `layers`
and `recurrent` turn a step's inputs into vectors that meet a matrix; `products` are the ways in which they meet it: in
floating point, in exact integers, or on crossbars; `quantisation` chooses the steps of the integers; `digital` does
what is no matrix; `images` reads what is given; `executor` takes it through all of this.
"""
