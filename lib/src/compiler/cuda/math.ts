/** Device functions that elementwise formulas use: NumPy's meaning at NaN, infinities, zeros and for integers. */
export const MATH = String.raw`
#define EACH_FLOAT(TYPE) \
  __device__ __forceinline__ TYPE m_sigmoid(TYPE x) { return (TYPE)1 / ((TYPE)1 + exp(-x)); } \
  __device__ __forceinline__ TYPE m_softplus(TYPE x) { return x != x ? x : (x > 0 ? x : (TYPE)0) + log1p(exp(x > 0 ? -x : x)); } \
  __device__ __forceinline__ TYPE m_mod(TYPE a, TYPE b) { const TYPE r = fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r; } \
  __device__ __forceinline__ bool m_finite(TYPE x) { return x - x == 0; } \
  __device__ __forceinline__ bool m_signbit(TYPE x) { return copysign((TYPE)1, x) < 0; } \
  __device__ __forceinline__ TYPE m_hard_sigmoid(TYPE x) { return x != x ? x : (x < -3 ? (TYPE)0 : x > 3 ? (TYPE)1 : (x + 3) / 6); } \
  __device__ __forceinline__ int m_to_int(TYPE y) { \
    const double x = trunc((double)y); \
    if (!(x - x == 0)) return 0; \
    const double w = x - 4294967296.0 * floor(x / 4294967296.0); \
    return (int)(unsigned)(long long)w; \
  }
EACH_FLOAT(float)
EACH_FLOAT(double)
#define EACH_TYPE(TYPE) \
  __device__ __forceinline__ TYPE m_max(TYPE a, TYPE b) { return a > b || a != a ? a : b; } \
  __device__ __forceinline__ TYPE m_min(TYPE a, TYPE b) { return a < b || a != a ? a : b; }
EACH_TYPE(float)
EACH_TYPE(double)
EACH_TYPE(int)
EACH_TYPE(long long)
__device__ __forceinline__ int m_to_int(int x) { return x; }
__device__ __forceinline__ int m_to_int(bool x) { return x; }
__device__ __forceinline__ int m_to_int(long long x) { return (int)x; }
__device__ __forceinline__ long long m_to_long(double x) { return x - x == 0 ? (long long)x : 0; }
__device__ __forceinline__ int m_sign(int x) { return (x > 0) - (x < 0); }
`;
