//! The variants of Burn's `OperationIr`, matched without a wildcard: one that
//! Burn adds stops this from compiling until the table has it.

use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BoolOperationIr, FloatOperationIr, IntOperationIr,
    ModuleOperationIr, NumericOperationIr, OperationIr,
};

/// A family and an operation.
pub type Variant = (&'static str, &'static str);

macro_rules! family {
    ($function:ident, $list:ident, $enum:ident, $name:literal,
     forward: [$($forward:ident)*], backward: [$($backward:ident)*]) => {
        const $list: &[Variant] = &[$(($name, stringify!($forward))),*];

        fn $function(operation: &$enum) -> Option<Variant> {
            match operation {
                $($enum::$forward(..) => Some(($name, stringify!($forward))),)*
                $($enum::$backward(..) => None,)*
            }
        }
    };
}

family! {
    activation, ACTIVATION, ActivationOperationIr, "Activation",
    forward: [
        Relu LeakyRelu PRelu Gelu Sigmoid HardSigmoid LogSigmoid Softmax LogSoftmax Softmin
    ],
    backward: [
        ReluBackward GeluBackward SigmoidBackward LogSigmoidBackward
    ]
}

family! {
    base, BASE, BaseOperationIr, "Base",
    forward: [
        Reshape SwapDims Permute Flip Expand Unfold Slice SliceAssign Select SelectAssign
        MaskWhere MaskFill Gather Scatter ScatterNd GatherNd Equal EqualElem RepeatDim Cat Cast
        Empty Ones Zeros NotEqual NotEqualElem All Any AllDim AnyDim
    ],
    backward: []
}

family! {
    boolean, BOOL, BoolOperationIr, "Bool",
    forward: [
        IntoFloat IntoInt Not And Or Xor
    ],
    backward: []
}

family! {
    float, FLOAT, FloatOperationIr, "Float",
    forward: [
        Exp Log Log1p Erf PowfScalar Sqrt Cos Cosh Sin Sinh Tan Tanh ArcCos ArcCosh ArcSin
        ArcSinh ArcTan ArcTanh ArcTan2 Round Floor Ceil Trunc IntoInt Matmul Cross Random Recip
        IsNan IsInf Quantize Dequantize GridSample2d Powf Hypot
    ],
    backward: []
}

family! {
    integer, INT, IntOperationIr, "Int",
    forward: [
        IntoFloat BitwiseAnd BitwiseAndScalar BitwiseOr BitwiseOrScalar BitwiseXor
        BitwiseXorScalar BitwiseNot BitwiseLeftShift BitwiseLeftShiftScalar BitwiseRightShift
        BitwiseRightShiftScalar Matmul
    ],
    backward: []
}

family! {
    module, MODULE, ModuleOperationIr, "Module",
    forward: [
        BatchNorm Embedding Linear Conv1d Conv2d Conv3d DeformableConv2d ConvTranspose1d
        ConvTranspose2d ConvTranspose3d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d
        AdaptiveAvgPool3d MaxPool1d MaxPool1dWithIndices MaxPool2d MaxPool2dWithIndices
        Interpolate Attention CtcLoss LayerNorm Unfold4d
    ],
    backward: [
        EmbeddingBackward LinearXBackward LinearWeightBackward LinearBiasBackward
        Conv1dXBackward Conv1dWeightBackward Conv1dBiasBackward Conv2dXBackward
        Conv2dWeightBackward Conv2dBiasBackward Conv3dXBackward Conv3dWeightBackward
        Conv3dBiasBackward DeformableConv2dBackward AvgPool1dBackward AvgPool2dBackward
        AdaptiveAvgPool1dBackward AdaptiveAvgPool2dBackward AdaptiveAvgPool3dBackward
        MaxPool1dWithIndicesBackward MaxPool2dWithIndicesBackward InterpolateBackward
        CtcLossBackward ConvTranspose1dWeightBackward ConvTranspose1dBiasBackward
        ConvTranspose2dWeightBackward ConvTranspose2dBiasBackward ConvTranspose3dWeightBackward
        ConvTranspose3dBiasBackward
    ]
}

family! {
    numeric, NUMERIC, NumericOperationIr, "Numeric",
    forward: [
        Add AddScalar Sub SubScalar Div DivScalar Rem RemScalar Mul MulScalar Abs Full MeanDim
        Mean Sum SumDim SumDims Prod ProdDim Greater GreaterElem GreaterEqual GreaterEqualElem
        Lower LowerElem LowerEqual LowerEqualElem ArgMax ArgTopK TopK TopKWithIndices ArgMin Max
        MaxDimWithIndices MinDimWithIndices Min MaxDim MinDim MaxAbs MaxAbsDim Clamp IntRandom
        Powi PowiScalar CumSum CumProd CumMin CumMax Neg Sign ClampMin ClampMax Sort
        SortWithIndices ArgSort Pad
    ],
    backward: []
}

/// All that can occur in a forward pass, by family.
pub const FORWARD: [&[Variant]; 7] = [ACTIVATION, BASE, BOOL, FLOAT, INT, MODULE, NUMERIC];

/// Which variant an operation is; none where it computes nothing of its own, is
/// a backend's, moves data between devices or belongs to a backward pass.
pub fn variant(operation: &OperationIr) -> Option<Variant> {
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            base(op)
        }
        OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => numeric(op),
        OperationIr::Bool(op) => boolean(op),
        OperationIr::Int(op) => integer(op),
        OperationIr::Float(_, op) => float(op),
        OperationIr::Module(op) => module(op),
        OperationIr::Activation(op) => activation(op),
        OperationIr::Init(_)
        | OperationIr::Drop(_)
        | OperationIr::Custom(_)
        | OperationIr::Distributed(_) => None,
    }
}
