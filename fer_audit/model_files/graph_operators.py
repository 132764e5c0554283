"""The operators of TensorFlow with which a SavedModel may compute.

TensorFlow has 1,700, among them such as read, write and map files into memory, call Python, wait, or end the process;
more come with each version. So what is allowed is named, not what is refused: what networks of images infer with.
"""

from __future__ import annotations

import re

#: A version of an operator, as in `BatchMatMulV2`.
_VERSION = re.compile(r"[Vv]\d+$")

_INFERENCE = """
    Abs Acos Acosh Add AddN AdjustContrast AdjustHue AdjustSaturation All Any ArgMax ArgMin Asin Asinh Assert Assign
    AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp Atan Atan2 Atanh AvgPool AvgPool3D
    BatchMatMul BatchToSpace BatchToSpaceND BiasAdd Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs
    BroadcastGradientArgs BroadcastTo Bucketize Case Cast Ceil CheckNumerics ClipByValue CombinedNonMaxSuppression
    Complex ComplexAbs Concat ConcatOffset Const ControlTrigger Conv Conv2D Conv2DBackpropInput Conv3D
    Conv3DBackpropInput Cos Cosh CropAndResize Cross Cumprod Cumsum CumulativeLogsumexp DataFormatDimMap
    DataFormatVecPermute DepthToSpace DepthwiseConv2dNative Dequantize Diag DiagPart Digamma Dilation2D
    DisableCopyOnRead Div DivNoNan DynamicPartition DynamicStitch Einsum Elu Empty EnsureShape Enter Equal Erf Erfc
    Erfinv EuclideanNorm Exit Exp ExpandDims Expm1 ExtractImagePatches FFT FFT2D FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm Gather
    GatherNd Greater GreaterEqual GuaranteeConst HSVToRGB IFFT IFFT2D IRFFT IRFFT2D Identity IdentityN If Igamma
    Igammac Imag ImageProjectiveTransform InTopK Inv InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu
    LeftShift Less LessEqual Lgamma LinSpace ListDiff Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr LoopCond
    LowerBound MatMul MatrixBandPart MatrixDiag MatrixDiagPart MatrixSetDiag Max MaxPool MaxPool3D MaxPoolWithArgmax
    Maximum Mean Merge Min Minimum MirrorPad Mod Mul MulNoNan Multinomial Neg NextIteration NoOp NonMaxSuppression
    NotEqual OneHot OnesLike Pack Pad ParallelConcat ParallelDynamicStitch PartitionedCall Placeholder
    PlaceholderWithDefault Pow PreventGradient Prod Qr Quantize QuantizeAndDequantize RFFT RFFT2D RGBToHSV
    RandomStandardNormal RandomUniform RandomUniformInt Range Rank ReadVariableOp Real RealDiv Reciprocal Relu Relu6
    Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ResourceGather ResourceGatherNd Reverse
    RightShift Rint RngReadAndSkip RngSkip Roll Round Rsqrt ScaleAndTranslate ScatterNd SegmentMax SegmentMean
    SegmentMin SegmentProd SegmentSum Select Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax Softplus
    Softsign SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze
    StatefulPartitionedCall StatefulStandardNormal StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt
    StatefulUniformInt StatelessCase StatelessIf StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformInt StatelessTruncatedNormal StatelessWhile StopGradient StridedSlice Sub Sum Switch Tan
    Tanh TensorListElementShape TensorListFromTensor TensorListGetItem TensorListLength TensorListReserve
    TensorListSetItem TensorListStack TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate Tile TopK Transpose TruncateDiv TruncateMod TruncatedNormal Unique Unpack UnravelIndex
    UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound VarHandleOp
    VarIsInitializedOp Variable VariableShape Where While Xdivy Xlogy ZerosLike
"""

#: With which a saver writes and reads variables; nothing of it is run, and TensorFlow itself reads the variables.
_SAVER = """
    MergeV2Checkpoints RegexFullMatch Restore RestoreSlice Save SaveSlices ShardedFilename ShardedFilespec
    StaticRegexFullMatch StringJoin
"""

_MAY_RUN, _MAY_SAVE = frozenset(_INFERENCE.split()), frozenset(_SAVER.split())


def may_run(operator: str) -> bool:
    """Whether a model may compute with it."""
    return _without_version(operator) in _MAY_RUN


def may_save(operator: str) -> bool:
    """Whether what only saves and restores may hold it."""
    return may_run(operator) or _without_version(operator) in _MAY_SAVE


def _without_version(operator: str) -> str:
    return _VERSION.sub("", operator)
