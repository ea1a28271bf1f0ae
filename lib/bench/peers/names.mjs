// Which names of the peers stand for ours: written by hand. A row is "ours | tfjs | jax-js | PyTorch"; "=" is the same name (in snake case
// for PyTorch), "–" that the peer has none. A method is Tensor.name. coverage.mjs checks every name against peers.json.

export const FAMILIES = {
  "Arithmetic, roots and powers": `
abs | = | = | =
add | = | = | =
sub | = | subtract | =
mul | = | multiply | =
div | = | divide | =
neg | = | negative | =
pow | = | = | =
square | = | = | =
sqrt | = | = | =
rsqrt | = | – | =
cbrt | – | = | –
reciprocal | = | = | =
sign | = | = | =
signbit | – | = | =
copySign | – | copysign | copysign
remainder | mod | = | =
fmod | – | = | =
floorDivide | floorDiv | = | =
hypot | – | = | =
maximum | = | = | =
minimum | = | = | =
clip | clipByValue | = | =
heaviside | step | = | =
xlogy | – | – | =`,
  "Exponentials, logarithms, special functions": `
exp | = | = | =
exp2 | – | = | =
expm1 | = | = | =
log | = | = | =
log2 | – | = | =
log10 | – | = | =
log1p | = | = | =
logAddExp | – | logaddexp | logaddexp
erf | = | = | =
erfc | – | = | =
erfinv | – | – | =
lgamma | – | – | =
digamma | – | – | =
polygamma | – | – | =
logit | – | = | =
sinc | – | = | =`,
  Trigonometry: `
sin | = | = | =
cos | = | = | =
tan | = | = | =
asin | = | = | =
acos | = | = | =
atan | = | = | =
atan2 | = | = | =
sinh | = | = | =
cosh | = | = | =
tanh | = | = | =
asinh | = | = | =
acosh | = | = | =
atanh | = | = | =
deg2rad | – | = | =
rad2deg | – | = | =`,
  "Rounding, comparison, logic, bits": `
floor | = | = | =
ceil | = | = | =
round | = | = | =
trunc | – | = | =
frac | – | – | =
equal | = | = | eq
notEqual | = | = | =
less | = | = | =
lessEqual | = | = | =
greater | = | = | =
greaterEqual | = | = | =
isclose | – | – | =
allclose | – | = | =
isnan | isNaN | = | =
isinf | isInf | = | =
isfinite | isFinite | = | =
logicalAnd | = | = | =
logicalOr | = | = | =
logicalXor | = | = | =
logicalNot | = | = | =
bitwiseAnd | = | = | =
bitwiseOr | – | = | =
bitwiseXor | – | = | =
leftShift | – | = | bitwise_left_shift
rightShift | – | = | bitwise_right_shift
where | = | = | =`,
  Activations: `
relu | = | = | =
relu6 | = | = | =
leakyRelu | = | = | =
elu | = | = | =
selu | = | = | =
gelu | – | = | =
geluTanh | – | – | gelu
silu | – | = | =
mish | – | = | =
sigmoid | = | = | =
hardSigmoid | – | = | hardsigmoid
hardSwish | – | = | hardswish
softplus | = | = | =
softsign | – | softSign | =
logSigmoid | = | = | logsigmoid
softmax | = | = | =
logSoftmax | = | = | =`,
  Reductions: `
sum | = | = | =
prod | = | = | =
mean | = | = | =
variance | moments | var_ | var
std | – | = | =
max | = | = | amax
min | = | = | amin
any | = | = | =
all | = | = | =
argmax | argMax | = | =
argmin | argMin | = | =
logSumExp | = | logsumexp | logsumexp
median | – | – | =
quantile | – | – | =
norm | = | = | =`,
  "Running results, order, counting": `
cumsum | = | = | =
cumprod | = | = | =
cummax | – | – | =
cummin | – | – | =
diff | – | = | =
linearRecurrence | – | – | –
sort | – | = | =
argsort | – | = | =
topk | = | topK | =
searchsorted | searchSorted | – | =
unique | = | – | =
bincount | = | – | =
histogram | – | – | =
nonzero | whereAsync | – | =
argwhere | – | – | =`,
  "Shapes and arrangement": `
reshape | = | = | =
flatten | = | ravel | =
transpose | = | = | permute
swapAxes | – | swapaxes | swapaxes
moveAxis | – | moveaxis | moveaxis
expandDims | = | = | unsqueeze
squeeze | = | = | =
broadcastTo | = | = | =
broadcastTensors | – | broadcastArrays | =
sumTo | – | – | Tensor.sum_to_size
concat | = | concatenate | cat
stack | = | = | =
hstack | – | = | =
vstack | – | = | =
split | = | = | =
chunk | – | arraySplit | =
unstack | = | = | unbind
tile | = | = | =
repeat | – | = | repeat_interleave
flip | reverse | = | =
roll | – | = | =
rot90 | – | = | =
pad | = | = | =
padEdges | mirrorPad | pad | pad
meshgrid | = | = | =
tril | – | = | =
triu | – | = | =
diag | = | = | diag_embed
diagonal | – | = | =
trace | – | = | =
slice | = | – | Tensor.narrow
cast | = | astype | Tensor.to
resize | resizeBilinear | – | interpolate`,
  "Indices: gathering and scattering": `
get | – | – | Tensor.__getitem__
setAt | tensorScatterUpdate | – | index_put
addAt | – | – | index_add
take | gather | = | index_select
takeAlongAxis | – | = | gather
gatherNd | gatherND | – | –
scatterAdd | unsortedSegmentSum | – | =
scatterNd | scatterND | – | –
scatterReduce | – | – | =
oneHot | = | = | =`,
  Creation: `
tensor | = | array | =
full | fill | = | =
zeros | = | = | =
ones | = | = | =
zerosLike | = | = | =
onesLike | = | = | =
arange | range | = | =
linspace | = | = | =
eye | = | = | =`,
  "Products and linear algebra": `
matmul | matMul | = | =
dot | = | = | vecdot
outer | outerProduct | = | =
einsum | = | = | =
linalg.solve | – | = | =
linalg.inv | – | = | =
linalg.det | – | = | =
linalg.slogdet | – | = | =
linalg.cofactors | – | – | –
linalg.cholesky | – | = | =
linalg.qr | = | – | =
linalg.svd | – | = | =
linalg.svdvals | – | = | =
linalg.eigh | – | = | =
linalg.eigvalsh | – | = | =
linalg.triangularSolve | – | = | solve_triangular
linalg.lstsq | – | = | =
linalg.pinv | – | – | =
linalg.matrixRank | – | – | =
linalg.cond | – | – | =
linalg.expm | – | – | matrix_exp
linalg.matrixPower | – | = | =
linalg.matrixNorm | – | = | =
linalg.kron | – | – | =
linalg.cross | – | = | =`,
  "Convolution and pooling": `
conv1d | = | conv | =
conv2d | = | conv | =
convTranspose1d | – | convTranspose | =
convTranspose2d | conv2dTranspose | convTranspose | =
maxPool1d | = | – | =
maxPool2d | maxPool | reduceWindow | =
avgPool1d | = | – | =
avgPool2d | avgPool | reduceWindow | =
adaptiveAvgPool2d | – | – | =
adaptiveMaxPool2d | – | – | =`,
  "Normalization and attention": `
layerNorm | – | standardize | =
rmsNorm | – | – | =
groupNorm | – | – | =
instanceNorm | – | – | =
batchNorm | = | – | =
normalize | – | – | =
attention | – | dotProductAttention | scaled_dot_product_attention
attentionWeights | – | – | –
autocast | – | – | =`,
  "Random numbers": `
random.uniform | randomUniform | = | rand
random.normal | randomNormal | = | randn
random.truncatedNormal | = | – | trunc_normal_
random.multivariateNormal | – | = | distributions.MultivariateNormal
random.randint | randomUniformInt | = | =
random.bernoulli | – | = | =
random.categorical | multinomial | = | multinomial
random.permutation | – | = | randperm
random.exponential | – | = | distributions.Exponential
random.laplace | – | = | distributions.Laplace
random.gumbel | – | = | distributions.Gumbel
random.logistic | – | = | –
random.cauchy | – | = | distributions.Cauchy
random.gamma | randomGamma | – | distributions.Gamma
random.beta | – | – | distributions.Beta
random.dirichlet | – | – | distributions.Dirichlet
random.poisson | – | – | =
random.split | – | = | –`,
  "Derivatives and transformations": `
grad | = | = | func.grad
valueAndGrad | = | = | func.grad_and_value
vjp | – | = | =
jvp | – | = | =
linearize | – | = | =
vmap | – | = | =
jacobian | – | = | func.jacrev
hessian | – | = | =
numericGrad | – | – | –
gradCheck | – | – | –
checkpoint | – | – | utils.checkpoint
customVjp | customGrad | – | autograd.Function
stopGradient | – | = | Tensor.detach
noGrad | – | – | =
backward | – | – | Tensor.backward
toStatic | – | jit | compile
cond | – | – | =
whileLoop | – | – | =
scan | – | – | –
switchCase | – | – | –`,
  Layers: `
nn.Dense | dense | – | Linear
nn.Bilinear | – | – | =
nn.Conv1d | conv1d | – | =
nn.Conv2d | conv2d | – | =
nn.ConvTranspose1d | – | – | =
nn.ConvTranspose2d | conv2dTranspose | – | =
nn.MaxPool1d | maxPooling1d | – | =
nn.MaxPool2d | maxPooling2d | – | =
nn.AvgPool1d | averagePooling1d | – | =
nn.AvgPool2d | averagePooling2d | – | =
nn.AdaptiveAvgPool2d | – | – | =
nn.AdaptiveMaxPool2d | – | – | =
nn.BatchNorm | batchNormalization | – | BatchNorm2d
nn.LayerNorm | layerNormalization | – | =
nn.GroupNorm | – | – | =
nn.InstanceNorm | – | – | InstanceNorm2d
nn.RMSNorm | – | – | =
nn.Dropout | dropout | – | =
nn.SpatialDropout | spatialDropout1d | – | Dropout2d
nn.Embedding | embedding | – | =
nn.RNN | simpleRNN | – | =
nn.RNNCell | simpleRNNCell | – | =
nn.GRU | gru | – | =
nn.GRUCell | gruCell | – | =
nn.LSTM | lstm | – | =
nn.LSTMCell | lstmCell | – | =
nn.MultiHeadAttention | – | – | MultiheadAttention
nn.TransformerEncoderLayer | – | – | =
nn.TransformerEncoder | – | – | =
nn.TransformerDecoderLayer | – | – | =
nn.TransformerDecoder | – | – | =
nn.Transformer | – | – | =
nn.CausalLM | – | – | –
nn.SinusoidalPositions | – | – | –
nn.LearnedPositions | – | – | –
nn.Sequential | sequential | – | =
nn.Residual | – | – | –
nn.Identity | – | – | =
nn.Flatten | flatten | – | =
nn.Activation | activation | – | –
nn.ReLU | reLU | – | =
nn.ReLU6 | – | – | =
nn.LeakyReLU | leakyReLU | – | =
nn.PReLU | prelu | – | =
nn.ELU | elu | – | =
nn.SELU | – | – | =
nn.GELU | – | – | =
nn.SiLU | – | – | =
nn.Mish | – | – | =
nn.Sigmoid | – | – | =
nn.HardSigmoid | – | – | Hardsigmoid
nn.HardSwish | – | – | Hardswish
nn.Tanh | – | – | =
nn.Softplus | – | – | =
nn.Softsign | – | – | =
nn.Softmax | softmax | – | =
nn.LogSoftmax | – | – | =`,
  Losses: `
nn.crossEntropy | softmaxCrossEntropy | – | =
nn.binaryCrossEntropy | sigmoidCrossEntropy | – | binary_cross_entropy_with_logits
nn.mse | meanSquaredError | – | mse_loss
nn.mae | absoluteDifference | – | l1_loss
nn.huber | huberLoss | – | huber_loss
nn.hinge | hingeLoss | – | –
nn.nll | – | – | nll_loss
nn.klDivergence | – | – | kl_div
nn.cosineSimilarity | cosineDistance | – | =
nn.tripletMargin | – | – | triplet_margin_loss`,
  Initializers: `
nn.xavierNormal | glorotNormal | – | xavier_normal_
nn.xavierUniform | glorotUniform | – | xavier_uniform_
nn.heNormal | = | – | kaiming_normal_
nn.heUniform | = | – | kaiming_uniform_
nn.lecunNormal | leCunNormal | – | –
nn.lecunUniform | leCunUniform | – | –
nn.orthogonal | = | – | orthogonal_
nn.truncatedNormal | = | – | trunc_normal_`,
  "Optimizers, clipping, schedules": `
optim.SGD | sgd | – | =
optim.AdaGrad | adagrad | – | Adagrad
optim.Adadelta | adadelta | – | =
optim.RMSProp | rmsprop | – | RMSprop
optim.Adam | adam | – | =
optim.AdamW | – | – | =
optim.Adamax | adamax | – | =
optim.LAMB | – | – | –
optim.Lion | – | – | –
optim.GradScaler | – | – | =
optim.clipGradNorm | – | – | clip_grad_norm_
optim.clipByGlobalNorm | – | – | clip_grad_norm_
optim.clipByValue | – | – | clip_grad_value_
optim.globalNorm | – | – | get_total_norm
optim.constant | – | – | ConstantLR
optim.linear | – | – | LinearLR
optim.cosine | – | – | CosineAnnealingLR
optim.cosineRestarts | – | – | CosineAnnealingWarmRestarts
optim.exponentialDecay | – | – | ExponentialLR
optim.stepDecay | – | – | StepLR
optim.piecewise | – | – | MultiStepLR
optim.polynomial | – | – | PolynomialLR
optim.oneCycle | – | – | OneCycleLR
optim.warmup | – | – | LinearLR`,
};

/** Exported functions and classes that are not compared, with the reason. */
export const NOT_COMPARED = {
  "errors and types of values":
    "DTypeError DeviceError DisposedError MlsysError ShapeError TransformError ValueError Tensor TapeTensor Variable variable",
  "the library's own working":
    "ops getOp defineOp capture concrete explain profile devices deviceCounts resetDeviceCounts getDevice setDevice getNumThreads setNumThreads heapStats resetPeak tidy tapeMemory tapeOf promoteTypes manualSeed Generator",
  "data structures and their conversion": "RaggedTensor SparseTensor ragged sparse toSparse",
  training: "fit",
  "names for what is above under another name":
    "linalg.diag linalg.diagonal linalg.norm linalg.trace det eigh inv solve",
  "keys of random numbers":
    "random.Generator random.defaultGenerator random.key random.manualSeed random.shuffledIndices",
  "base classes": "nn.Module nn.RecurrentCell optim.Optimizer",
};

/** Ops of the registry that are no public function, and the function that runs on them. */
export const INSIDE = {
  conv2dInputGrad: "conv2d",
  conv2dWeightGrad: "conv2d",
  quantizedConv2d: "conv2d",
  quantizedMatmul: "matmul",
  windows2d: "maxPool2d",
  foldWindows2d: "maxPool2d",
  unslice: "pad",
  replace: "setAt",
  scatterAddAlongAxis: "scatterReduce",
  randomBits: "random.split",
  randomUniform: "random.uniform",
  randomNormal: "random.normal",
  randomGamma: "random.gamma",
  randomPoisson: "random.poisson",
  cofactors: "linalg.cofactors",
  svd: "linalg.svd",
  qr: "linalg.qr",
  eigh: "linalg.eigh",
  det: "linalg.det",
  inv: "linalg.inv",
  solve: "linalg.solve",
  slogdet: "linalg.slogdet",
  cholesky: "linalg.cholesky",
  expm: "linalg.expm",
  pinv: "linalg.pinv",
  triangularSolve: "linalg.triangularSolve",
};

/** What they have that we lack, family by family: read from their lists and kept by hand; coverage.mjs checks that the names exist there. */
export const LACKING = {
  tfjs: {
    "Convolution and pooling":
      "conv3d conv3dTranspose depthwiseConv2d separableConv2d dilation2d avgPool3d maxPool3d maxPoolWithArgmax",
    "Linear algebra": "bandPart gramSchmidt",
    "Images, signals, Fourier":
      "fft ifft rfft irfft cosineWindow depthToSpace spaceToBatchND batchToSpaceND localResponseNormalization",
    "Complex numbers": "complex real imag",
    Layers:
      "conv3d separableConv2d depthwiseConv2d bidirectional timeDistributed convLstm2d masking gaussianNoise alphaDropout cropping2D upSampling2d zeroPadding2d globalAveragePooling2d globalMaxPooling2d repeatVector thresholdedReLU gaussianDropout rescaling resizing centerCrop categoryEncoding",
    Other:
      "divNoNan squaredDifference setdiff1dAsync inTopKAsync movingAverage lowerBound upperBound addN stridedSlice logLoss varianceScaling raggedGather loadGraphModel loadLayersModel",
  },
  "jax-js": {
    Elementwise: "modf frexp ldexp nanToNum bitwiseNot bitwiseCount fmax fmin floatPower logaddexp2",
    Reductions:
      "average ptp countNonzero cov corrcoef nanmax nanmean nanmin nanstd nansum nanvar nanargmax nancumsum nanprod trapezoid",
    "Shapes and creation":
      "append dstack columnStack fliplr flipud vander geomspace logspace indices fromfunction isin unwrap correlate convolve polyval polyadd polymul tri diagflat select hann blackman applyAlongAxis",
    "Linear algebra": "tensordot multiDot lu vecdot vdot inner matvec matrixTranspose",
    Activations: "celu glu hardTanh squareplus sparsePlus sparseSigmoid log1mexp logmeanexp",
    "Random numbers":
      "ball choice doubleSidedMaxwell geometric lognormal maxwell pareto rademacher rayleigh triangular weibullMin",
    "Derivatives and transformations": "jacfwd makeJaxpr",
  },
  PyTorch: {
    Elementwise:
      "addcmul addcdiv lerp nan_to_num frexp ldexp gcd lcm nextafter logaddexp2 fmax fmin float_power bitwise_not polar",
    "Special functions":
      "bessel_j0 bessel_j1 bessel_y0 modified_bessel_k0 spherical_bessel_j0 chebyshev_polynomial_t hermite_polynomial_h laguerre_polynomial_l i0 i1 gammainc gammaincc entr ndtr ndtri log_ndtr erfcx zeta multigammaln xlog1py airy_ai legendre_polynomial_p",
    Reductions:
      "nansum nanmean nanmedian mode kthvalue count_nonzero cov corrcoef std_mean var_mean aminmax logcumsumexp trapezoid",
    "Shapes and indices":
      "masked_select masked_scatter masked_fill index_copy index_fill unravel_index tril_indices combinations cartesian_prod unflatten diagonal_scatter as_strided unique_consecutive isin bucketize",
    "Products and linear algebra":
      "tensordot bmm addmm baddbmm multi_dot eig eigvals lu lu_factor lu_solve ldl_factor cholesky_inverse householder_product lobpcg svd_lowrank block_diag cdist renorm tensorinv vander",
    "Signals and complex numbers": "stft istft complex view_as_real hann_window kaiser_window",
    Activations:
      "celu glu hardtanh hardshrink softshrink tanhshrink threshold prelu rrelu softmin gumbel_softmax",
    "Convolution, pooling, attention":
      "conv3d conv_transpose3d max_pool3d avg_pool3d lp_pool2d fractional_max_pool2d max_unpool2d fold unfold pixel_shuffle grid_sample affine_grid local_response_norm adaptive_avg_pool1d adaptive_max_pool1d pixel_unshuffle channel_shuffle alpha_dropout embedding_bag scaled_mm grouped_mm",
    Losses:
      "ctc_loss gaussian_nll_loss poisson_nll_loss margin_ranking_loss multi_margin_loss multilabel_margin_loss cosine_embedding_loss soft_margin_loss multilabel_soft_margin_loss hinge_embedding_loss smooth_l1_loss linear_cross_entropy pairwise_distance",
    Layers:
      "Conv3d ConvTranspose3d MaxPool3d AvgPool3d AdaptiveAvgPool3d BatchNorm3d SyncBatchNorm EmbeddingBag Fold Unfold PixelShuffle Upsample ReflectionPad2d AlphaDropout LocalResponseNorm AdaptiveLogSoftmaxWithLoss LazyLinear AdaptiveAvgPool1d GLU CELU Hardtanh Hardshrink Softshrink Tanhshrink Threshold RReLU Softmin LogSigmoid Unflatten PairwiseDistance ZeroPad2d ReplicationPad2d CircularPad2d ModuleList ModuleDict ParameterList",
    "Optimizers and schedules":
      "ASGD LBFGS NAdam RAdam Rprop SparseAdam Adafactor Muon CyclicLR ReduceLROnPlateau LambdaLR MultiplicativeLR SequentialLR",
    Initializers: "dirac_ sparse_ eye_ calculate_gain",
    "Random numbers":
      "binomial distributions.Binomial distributions.StudentT distributions.VonMises distributions.Weibull distributions.Wishart distributions.LowRankMultivariateNormal distributions.MixtureSameFamily",
  },
};
