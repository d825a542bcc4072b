// The message of one edge, and the norm of their sum, of whatever holds a convolution and its edges.
//
// The formulas are those of cgsim.nn.convolution, cgsim.nn.product and cgsim.nn.handedness.

// Adds the message of an edge, of weights `own`, to scalars [2 C] and vectors [3][stride].
template <int W, int C, bool HANDED, class Network>
INLINE void send(const Network &g, int64_t e, const float *own, float *to_scalar, float *to_vector,
                 int64_t stride) {
    const float third = 0.57735026919f, half = 0.70710678119f;  // roots of them
    const int64_t source = g.source[e];
    const float *scalar = g.scalar + source * C, *vector = g.vector + source * 3 * C;
    const float *y = g.harmonics + e * 4 + 1;
    const float envelope = g.envelope[e];
    const float turned = HANDED ? half * envelope * g.handedness[source] : 0.0f;
#pragma GCC unroll 8
    for (int v = 0; v < C; v += W) {
        const F<W> s = load<W>(scalar + v) * envelope;
        const F<W> v_x = load<W>(vector + v), v_y = load<W>(vector + C + v);
        const F<W> v_z = load<W>(vector + 2 * C + v);
        const F<W> along = v_x * y[0] + v_y * y[1] + v_z * y[2];
        const F<W> sent = load<W>(own + C + v) * s;
        const F<W> kept = load<W>(own + 2 * C + v) * envelope;
        add<W>(to_scalar + v, load<W>(own + v) * s);
        add<W>(to_scalar + C + v, load<W>(own + 3 * C + v) * along * (third * envelope));
        float *x = to_vector + v, *mid = x + stride, *z = mid + stride;
        add<W>(x, sent * y[0]);
        add<W>(mid, sent * y[1]);
        add<W>(z, sent * y[2]);
        add<W>(x + C, kept * v_x);
        add<W>(mid + C, kept * v_y);
        add<W>(z + C, kept * v_z);
        if (HANDED) {
            const F<W> crossed = load<W>(own + 4 * C + v) * turned;
            add<W>(x + 2 * C, crossed * (v_y * y[2] - v_z * y[1]));
            add<W>(mid + 2 * C, crossed * (v_z * y[0] - v_x * y[2]));
            add<W>(z + 2 * C, crossed * (v_x * y[1] - v_y * y[0]));
        }
    }
}

// What the sum of the messages to a bead is multiplied by.
template <class Network> INLINE float norm_of(const Network &g, int64_t bead) {
    float degree = 1.0f;
    for (int64_t e = g.start[bead]; e < g.start[bead + 1]; ++e) degree += g.envelope[e];
    return 1.0f / __builtin_sqrtf(degree);
}
