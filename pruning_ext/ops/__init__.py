"""Public functions on tensors, on the device where the tensors are."""

from pruning_ext._arguments import TopK as TopK
from pruning_ext.ops import kde, ken, mi, mi_reductions, mi_stream, renyi
from pruning_ext.ops.kde import *
from pruning_ext.ops.ken import *
from pruning_ext.ops.mi import *
from pruning_ext.ops.mi_reductions import *
from pruning_ext.ops.mi_stream import *
from pruning_ext.ops.renyi import *

__all__ = ["TopK"]
__all__ += kde.__all__
__all__ += ken.__all__
__all__ += mi.__all__
__all__ += mi_reductions.__all__
__all__ += mi_stream.__all__
__all__ += renyi.__all__
__all__.sort()
