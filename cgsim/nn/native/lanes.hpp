// Floats side by side in a register, and small matrix products of them.
//
// Included once for every instruction set, inside a namespace of its own, with WIDE floats in a
// register and so many REGISTERS.

// Rows of a matrix product at a time whose sums, n registers of each, stay in registers.
constexpr int rows(int n) {
    return REGISTERS == 32 ? (n == 3 ? 8 : 12 / n) : n == 4 ? 3 : n == 3 ? 4 : 6;
}

template <int W> struct Lanes {
    typedef float F __attribute__((vector_size(4 * W)));
    typedef int32_t I __attribute__((vector_size(4 * W)));
};

template <int W> using F = typename Lanes<W>::F;

template <int W> INLINE F<W> load(const float *from) {
    F<W> value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <int W> INLINE void store(float *to, F<W> value) { std::memcpy(to, &value, sizeof value); }

template <int W> INLINE void add(float *to, F<W> value) { store<W>(to, load<W>(to) + value); }

// 2^n times a polynomial (Cephes), to 2e-7.
template <int W> INLINE F<W> exponential(F<W> x) {
    typedef typename Lanes<W>::I I;
    const F<W> least = F<W>{} - 87.0f, most = F<W>{} + 88.0f;
    x = x < least ? least : x;
    x = x > most ? most : x;
    const F<W> rounder = F<W>{} + 12582912.0f;  // 1.5 * 2^23: what is added to it is rounded
    const F<W> n = (x * 1.44269504f + rounder) - rounder;
    const F<W> rest = x - n * 0.693359375f + n * 2.12194440e-4f;
    F<W> series = F<W>{} + 1.9875691500e-4f;
    series = series * rest + 1.3981999507e-3f;
    series = series * rest + 8.3334519073e-3f;
    series = series * rest + 4.1665795894e-2f;
    series = series * rest + 1.6666665459e-1f;
    series = series * rest + 5.0000001201e-1f;
    series = series * rest * rest + rest + 1.0f;
    const I bits = (__builtin_convertvector(n, I) + 127) << 23;
    F<W> power;
    std::memcpy(&power, &bits, sizeof power);
    return series * power;
}

template <int W> INLINE F<W> silu(F<W> x) { return x / (exponential<W>(-x) + 1.0f); }

// out[R][N * W] = bias + rows[R][K] weight[K][stride]
template <int W, int N, int R>
INLINE void product(const float *rows, int64_t K, const float *weight, int64_t stride,
                    const float *bias, F<W> (&out)[R][N]) {
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) out[r][n] = load<W>(bias + n * W);
    }
    for (int64_t k = 0; k < K; ++k) {
        F<W> column[N];
#pragma GCC unroll 8
        for (int n = 0; n < N; ++n) column[n] = load<W>(weight + k * stride + n * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const float value = rows[r * K + k];
#pragma GCC unroll 8
            for (int n = 0; n < N; ++n) out[r][n] += column[n] * value;
        }
    }
}
