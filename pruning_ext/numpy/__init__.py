"""The ops on NumPy arrays, by the same kernels, without torch.

>>> import numpy as np
>>> from pruning_ext.numpy import gaussian_kde
>>> rows = np.random.default_rng(0).normal(size=(4, 1000))
>>> gaussian_kde(rows, np.linspace(-3, 3, 7)).shape
(4, 7)

Arrays are float64, float32 or float16 in native byte order, aligned and of any strides that are whole entries
(a field of a packed struct is refused); nothing is written to them and nothing is copied but what a docstring
names. float64 in gives float64 out, all else float32.

All functions take ``num_threads``: at most so many threads, 0 for as many as the machine has. Results do not
depend on it.
"""

from pruning_ext._arguments import TopK as TopK
from pruning_ext.numpy import kde, ken, mi, mi_reductions
from pruning_ext.numpy.kde import *
from pruning_ext.numpy.ken import *
from pruning_ext.numpy.mi import *
from pruning_ext.numpy.mi_reductions import *

__all__ = ["TopK"]
__all__ += kde.__all__
__all__ += ken.__all__
__all__ += mi.__all__
__all__ += mi_reductions.__all__
__all__.sort()
