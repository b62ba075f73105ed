"""Version steps that change nothing for old nodes although the schemas cannot prove it, each with the reason.

A step is an operator with the versions at which it stayed as it was. Read the changelog before adding one.
"""

DEFAULTS_KEEP_THE_OLD_MEANING = {
    "ArgMax": (12,),
    "ArgMin": (12,),
    "Attention": (25,),
    "AveragePool": (7, 10),
    "Cast": (19, 24),
    "CastLike": (19, 24),
    "DepthToSpace": (11,),
    "DequantizeLinear": (13, 21, 23),
    "GRU": (14,),
    "GatherND": (12,),
    "LSTM": (14,),
    "LpPool": (18,),
    "MaxPool": (8, 10),
    "QuantizeLinear": (13, 19, 21, 23),
    "RNN": (14,),
    "Reshape": (14,),
    "Resize": (18,),
    "ScatterElements": (16,),
    "ScatterND": (16,),
    "Shape": (15,),
    "SpaceToDepth": (28,),
    "TopK": (11,),
}

DEFAULT_ONLY_RAISES_THE_PRECISION_OF_FLOAT16 = {"Range": (27,)}

DEPRECATED_BUT_KEPT_SINCE_NO_OPERATOR_REPLACES_IT_NODE_BY_NODE = {
    "TreeEnsembleClassifier": (5,),
    "TreeEnsembleRegressor": (5,),
}

NEW_TEXT_SAYS_THE_SAME_OR_ALLOWS_MORE = {
    "Abs": (13,),
    "Add": (14,),
    "ArgMax": (11, 13),
    "ArgMin": (11, 13),
    "Attention": (24,),
    "AveragePool": (11,),
    "BatchNormalization": (15,),
    "BitShift": (28,),
    "Cast": (9, 13),
    "Ceil": (13,),
    "Clip": (13,),
    "Compress": (11,),
    "Concat": (11,),
    "Constant": (11, 12),
    "Conv": (11,),
    "DequantizeLinear": (19,),
    "Div": (14,),
    "Dropout": (22,),
    "EyeLike": (22,),
    "Flatten": (11,),
    "Floor": (13,),
    "Gather": (11, 13),
    "Gemm": (6, 11),
    "Hardmax": (11,),
    "If": (11,),
    "LSTM": (22,),
    "LogSoftmax": (11,),
    "Loop": (11, 13),
    "LpPool": (11,),
    "Max": (8,),
    "MaxPool": (11,),
    "MaxUnpool": (11,),
    "Mean": (8,),
    "MeanVarianceNormalization": (13,),
    "Min": (8,),
    "Mod": (13, 28),
    "Mul": (14,),
    "NonMaxSuppression": (11,),
    "OptionalGetElement": (18,),
    "OptionalHasElement": (18,),
    "Pad": (13, 18, 19),
    "QuantizeLinear": (25, 28),
    "ReduceL1": (11, 13),
    "ReduceL2": (11, 13),
    "ReduceLogSum": (11, 13),
    "ReduceLogSumExp": (11, 13),
    "ReduceMax": (11, 12, 13, 20),
    "ReduceMean": (11, 13),
    "ReduceMin": (11, 12, 13, 20),
    "ReduceProd": (11, 13),
    "ReduceSum": (11,),
    "ReduceSumSquare": (11, 13),
    "Resize": (19,),
    "Scan": (11,),
    "ScatterElements": (18,),
    "ScatterND": (18,),
    "Slice": (11, 13),
    "Softmax": (11,),
    "Split": (11,),
    "Squeeze": (11, 23),
    "Sub": (14,),
    "Sum": (8,),
    "Transpose": (21, 25),
    "TreeEnsembleClassifier": (3,),
    "TreeEnsembleRegressor": (3,),
    "Unsqueeze": (11, 23),
}

TEXT_CHANGES_BUT_ONNXRUNTIME_COMPUTES_THE_SAME_AT_BOTH = {
    "AveragePool": (19, 22),
    "ConvTranspose": (11,),
    "MaxPool": (12, 22),
    "OneHot": (11,),
}

UNCHANGED = {
    name.lower().replace("_", " "): table
    for name, table in list(globals().items())
    if name.isupper() and isinstance(table, dict)
}
