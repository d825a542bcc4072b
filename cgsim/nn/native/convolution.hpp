// A convolution: what neighbours send, summed, and what a bead makes of it.
//
// One pass over beads and the edges into them, in tiles that stay in the first caches. The formulas
// are those of cgsim.nn.convolution, cgsim.nn.product, cgsim.nn.handedness and cgsim.nn.gate.

// Rows of a tile of R beads, their own features first, then what arrives: C = W * N channels.
template <int W, int N, int R, bool HANDED> struct Tile {
    static constexpr int C = W * N, PATHS = HANDED ? 5 : 4, V = HANDED ? 3 : 2;
    static constexpr int SCALARS = 3 * C, VECTORS = (1 + V) * C;
    alignas(64) float scalar[R * SCALARS], vector[3 * R * VECTORS];
    alignas(64) float hidden[R * C], weight[R * PATHS * C], attr[R * MOST_ATTR];
};

// Columns of a matrix product as many at a time as there are registers for.
template <int W, int N, int R, int COLUMNS>
INLINE void product_of_rows(const float *rows, int64_t K, const float *weight, const float *bias,
                            float *out) {
    constexpr int AT_ONCE = R * 2 * N + 2 * N < REGISTERS && COLUMNS % (2 * N * W) == 0 ? 2 * N : N;
    for (int column = 0; column < COLUMNS; column += AT_ONCE * W) {
        F<W> sum[R][AT_ONCE];
        product<W, AT_ONCE, R>(rows, K, weight + column, COLUMNS, bias + column, sum);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
            for (int n = 0; n < AT_ONCE; ++n)
                store<W>(out + r * COLUMNS + column + n * W, sum[r][n]);
        }
    }
}

// An edge, and the bead that it leads to.
struct Into {
    int64_t edge, bead;
};

// The weights of n edges, from the rows of their invariants.
template <int W, int N, int R, bool HANDED>
INLINE void weigh(const Convolution &g, int n, const Into *edges, Tile<W, N, R, HANDED> &t) {
    constexpr int C = W * N;
    F<W> tile[R][N];
    product<W, N, R>(t.attr, g.n_attr, g.w_edge, C, g.b_edge, tile);
    for (int r = 0; r < n; ++r) {
        const float *at_source = g.ends + g.source[edges[r].edge] * 2 * C;
        const float *at_bead = g.ends + edges[r].bead * 2 * C + C;
#pragma GCC unroll 8
        for (int v = 0; v < C; v += W)
            store<W>(t.hidden + r * C + v,
                     silu<W>(tile[r][v / W] + load<W>(at_source + v) + load<W>(at_bead + v)));
    }
    product<W, N, R>(t.hidden, C, g.w_hidden, C, g.b_hidden, tile);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < C; v += W) store<W>(t.hidden + r * C + v, silu<W>(tile[r][v / W]));
    }
    product_of_rows<W, N, R, t.PATHS * C>(t.hidden, C, g.w_path, g.b_path, t.weight);
}

// What arrives at beads first to last, of R edges at a time, into the rows of the tile. Edges that
// carry nothing, beyond the cutoff, are passed over.
template <int W, int N, int R, bool HANDED>
INLINE void receive(const Convolution &g, int64_t first, int64_t last,
                    Tile<W, N, R, HANDED> &t) {
    constexpr int C = W * N;
    const int64_t end = g.start[last];
    int64_t edge = g.start[first], bead = first;
    Into edges[R];
    while (edge < end) {
        int n = 0;
        for (; n < R && edge < end; ++edge) {
            while (edge >= g.start[bead + 1]) ++bead;
            if (g.envelope[edge] == 0.0f) continue;
            std::memcpy(t.attr + n * g.n_attr, g.attr + edge * g.n_attr,
                        g.n_attr * sizeof(float));
            edges[n++] = {edge, bead};
        }
        weigh<W, N, R, HANDED>(g, n, edges, t);  // rows beyond n are of edges before: not used
        for (int r = 0; r < n; ++r) {
            const int64_t row = edges[r].bead - first;
            send<W, t.C, HANDED>(g, edges[r].edge, t.weight + r * t.PATHS * C,
                                 t.scalar + row * t.SCALARS + C, t.vector + row * 3 * t.VECTORS + C,
                                 t.VECTORS);
        }
    }
    for (int64_t bead = first; bead < last; ++bead) {
        const float norm = norm_of(g, bead);
        float *scalar = t.scalar + (bead - first) * t.SCALARS;
        for (int c = C; c < t.SCALARS; ++c) scalar[c] *= norm;
        float *vector = t.vector + (bead - first) * 3 * t.VECTORS;
        for (int axis = 0; axis < 3; ++axis, vector += t.VECTORS)
            for (int c = C; c < t.VECTORS; ++c) vector[c] *= norm;
    }
}

// x + gate(A x + B m) of beads first to last.
template <int W, int N, int R, bool HANDED>
INLINE void update(const Convolution &g, int64_t first, int64_t last, Tile<W, N, R, HANDED> &t) {
    constexpr int C = W * N;
    alignas(64) float scalar[R * 2 * C], vector[3 * R * C];
    const float zero[2 * C] = {};
    const float of_silu = static_cast<float>(g.of_silu);
    const float of_sigmoid = static_cast<float>(g.of_sigmoid);
    product_of_rows<W, N, R, 2 * C>(t.scalar, t.SCALARS, g.w_scalar, zero, scalar);
    for (int third = 0; third < 3; ++third)
        product_of_rows<W, N, R, C>(t.vector + third * R * t.VECTORS, t.VECTORS, g.w_vector, zero,
                                    vector + third * R * C);
    for (int64_t bead = first; bead < last; ++bead) {
        const int64_t row = bead - first;
        for (int v = 0; v < C; v += W) {
            const F<W> own = load<W>(scalar + row * 2 * C + v);
            const F<W> gate = load<W>(scalar + row * 2 * C + C + v);
            const F<W> open = of_sigmoid / (exponential<W>(-gate) + 1.0f);
            store<W>(g.out_scalar + bead * C + v,
                     load<W>(g.scalar + bead * C + v) + of_silu * silu<W>(own));
            for (int axis = 0; axis < 3; ++axis) {
                const int64_t at = (bead * 3 + axis) * C + v;
                store<W>(g.out_vector + at,
                         load<W>(g.vector + at) + open * load<W>(vector + (row * 3 + axis) * C + v));
            }
        }
    }
}

template <int W, int N, int R, bool HANDED> void convolve(const Convolution &g) {
    constexpr int C = W * N;
    Tile<W, N, R, HANDED> t;
    std::memset(t.attr, 0, sizeof t.attr);
    std::memset(t.hidden, 0, sizeof t.hidden);
    for (int64_t first = g.first; first < g.last; first += R) {
        const int64_t last = first + R < g.last ? first + R : g.last;
        std::memset(t.scalar, 0, sizeof t.scalar);
        std::memset(t.vector, 0, sizeof t.vector);
        for (int64_t bead = first; bead < last; ++bead) {
            const int64_t row = bead - first;
            std::memcpy(t.scalar + row * t.SCALARS, g.scalar + bead * C, C * sizeof(float));
            for (int axis = 0; axis < 3; ++axis)
                std::memcpy(t.vector + (row * 3 + axis) * t.VECTORS,
                            g.vector + (bead * 3 + axis) * C, C * sizeof(float));
        }
        receive<W, N, R, HANDED>(g, first, last, t);
        update<W, N, R, HANDED>(g, first, last, t);
    }
}

template <bool HANDED> bool of_channels(const Convolution &g) {
    constexpr int PER = 32 / WIDE;  // registers of 32 channels
    switch (g.n_channels) {
        case 8: convolve<8, 1, rows(1), HANDED>(g); return true;
        case 16: convolve<8, 2, rows(2), HANDED>(g); return true;
        case 24: convolve<8, 3, rows(3), HANDED>(g); return true;
        case 32: convolve<WIDE, PER, rows(PER), HANDED>(g); return true;
        default: return false;
    }
}

bool convolution(const Convolution &g) {
    if (g.n_attr > MOST_ATTR) return false;
    return g.handedness ? of_channels<true>(g) : of_channels<false>(g);
}
