// Messages and their gradient: of an edge, nothing is kept from one to the other but its invariants.
//
// Included once for every instruction set, inside a namespace of its own (see lanes.hpp). The
// formulas are those of cgsim.nn.convolution, cgsim.nn.product and cgsim.nn.handedness.

constexpr int TILE = 24;  // edges at a time: their numbers stay in the first caches

// Rows of a sum of outer products whose sums, n registers of each, stay in registers.
constexpr int rows_out(int n) { return REGISTERS == 32 || n == 1 ? 8 : n == 4 ? 2 : 4; }

// out[TILE][columns] = bias + in[TILE][K] weight[K][columns], C of the columns at a time
template <int W, int N>
INLINE void tile_product(const float *in, int64_t K, const float *weight, const float *bias,
                         int64_t columns, float *out) {
    constexpr int R = rows(N);
    for (int64_t c = 0; c < columns; c += W * N) {
        for (int b = 0; b < TILE; b += R) {
            F<W> own[R][N];
            product<W, N, R>(in + b * K, K, weight + c, columns, bias + c, own);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) store<W>(out + (b + r) * columns + c + n * W, own[r][n]);
            }
        }
    }
}

// sum[M][columns] += left[TILE][M]^T right[TILE][columns], W N of the columns at a time
template <int W, int N>
INLINE void add_outer(const float *left, int64_t M, const float *right, int64_t columns,
                      float *sum) {
    constexpr int R = rows_out(N);
    for (int64_t c = 0; c < columns; c += W * N) {
        for (int64_t m = 0; m < M; m += R) {
            float *to = sum + m * columns + c;
            F<W> own[R][N];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) own[r][n] = load<W>(to + r * columns + n * W);
            }
            for (int b = 0; b < TILE; ++b) {
                F<W> row[N];
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) row[n] = load<W>(right + b * columns + c + n * W);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const float value = left[b * M + m + r];
#pragma GCC unroll 8
                    for (int n = 0; n < N; ++n) own[r][n] += row[n] * value;
                }
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
                for (int n = 0; n < N; ++n) store<W>(to + r * columns + n * W, own[r][n]);
            }
        }
    }
}

// sum[columns] += rows of in[TILE][columns]
template <int W> INLINE void add_rows(const float *in, int64_t columns, float *sum) {
    for (int64_t c = 0; c < columns; c += W) {
        F<W> own = load<W>(sum + c);
        for (int b = 0; b < TILE; ++b) own += load<W>(in + b * columns + c);
        store<W>(sum + c, own);
    }
}

// Values become silu of them, and slopes its derivative.
template <int W> INLINE void activate(float *values, float *slopes, int64_t n_values) {
    for (int64_t v = 0; v < n_values; v += W) {
        const F<W> x = load<W>(values + v), opened = 1.0f / (exponential<W>(-x) + 1.0f);
        const F<W> y = x * opened;
        store<W>(values + v, y);
        if (slopes) store<W>(slopes + v, opened + y * (1.0f - opened));
    }
}

// What is computed of a tile of edges before they are summed, and where it leads.
template <int W, int N, bool HANDED> struct Tile {
    static constexpr int C = W * N, PATHS = HANDED ? 5 : 4, V = HANDED ? 3 : 2, M = PATHS * C;
    alignas(64) float first[TILE * C], second[TILE * C], weight[TILE * M];
    alignas(64) float slope_first[TILE * C], slope_second[TILE * C];
    int64_t into[TILE];
    int n;

    // Edges e to e + n, of which `bead` is the destination of the first or one before it.
    INLINE void compute(const Network &g, int64_t e, int64_t end, int64_t &bead, bool learns) {
        n = end - e < TILE ? static_cast<int>(end - e) : TILE;
        for (int r = 0; r < n; ++r) {
            while (e + r >= g.start[bead + 1]) ++bead;
            into[r] = bead;
            const float *known = g.known + (g.row ? g.row[e + r] : e + r) * C;
            const float *at_source = g.ends + g.source[e + r] * 2 * C;
            const float *at_bead = g.ends + bead * 2 * C + C;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W)
                store<W>(first + r * C + v, load<W>(known + v) + load<W>(at_source + v) +
                                                load<W>(at_bead + v));
        }
        if (n < TILE) std::memset(first + n * C, 0, (TILE - n) * C * sizeof(float));
        activate<W>(first, learns ? slope_first : nullptr, TILE * C);
        tile_product<W, N>(first, C, g.w_hidden, g.b_hidden, C, second);
        activate<W>(second, learns ? slope_second : nullptr, TILE * C);
        tile_product<W, N>(second, C, g.w_path, g.b_path, M, weight);
    }
};

// Edges into beads first to last.
template <int W, int N, bool HANDED> void sum_messages(const Sums &s) {
    using Own = Tile<W, N, HANDED>;
    constexpr int C = Own::C, V = Own::V, M = Own::M;
    const Network &g = s.network;
    Own tile;
    std::memset(s.scalar + g.first * 2 * C, 0, (g.last - g.first) * 2 * C * sizeof(float));
    std::memset(s.vector + g.first * 3 * V * C, 0, (g.last - g.first) * 3 * V * C * sizeof(float));
    int64_t bead = g.first;
    const int64_t end = g.start[g.last];
    for (int64_t e = g.start[g.first]; e < end; e += TILE) {
        tile.compute(g, e, end, bead, false);
        for (int r = 0; r < tile.n; ++r) {
            const int64_t into = tile.into[r];
            send<W, C, HANDED>(g, e + r, tile.weight + r * M, s.scalar + into * 2 * C,
                               s.vector + into * 3 * V * C, V * C);
        }
    }
    for (bead = g.first; bead < g.last; ++bead) {
        const float norm = s.norm[bead] = norm_of(g, bead);
        for (int c = 0; c < 2 * C; ++c) s.scalar[bead * 2 * C + c] *= norm;
        for (int c = 0; c < 3 * V * C; ++c) s.vector[bead * 3 * V * C + c] *= norm;
    }
}

// Adds the gradient of edges into beads first to last, of slopes that are normalised already.
template <int W, int N, bool HANDED> void add_slopes(const Slopes &s) {
    using Own = Tile<W, N, HANDED>;
    constexpr int C = Own::C, V = Own::V, M = Own::M;
    const Network &g = s.network;
    Own tile;
    alignas(64) float back[TILE * C];
    alignas(64) const float nothing[C] = {};
    const float third = 0.57735026919f, half = 0.70710678119f;  // roots of them
    int64_t bead = g.first;
    const int64_t end = g.start[g.last];
    for (int64_t e = g.start[g.first]; e < end; e += TILE) {
        tile.compute(g, e, end, bead, true);
        for (int r = 0; r < tile.n; ++r) {
            const int64_t source = g.source[e + r], into = tile.into[r];
            const float *scalar = g.scalar + source * C, *vector = g.vector + source * 3 * C;
            const float *y = g.harmonics + (e + r) * 4 + 1;
            const float *of_scalar = s.of_scalar + into * 2 * C;
            const float *of_vector = s.of_vector + into * 3 * V * C;
            float *own = tile.weight + r * M;  // the weights, and then the slopes of them
            float *to_scalar = s.scalar + source * C, *to_vector = s.vector + source * 3 * C;
            const float envelope = g.envelope[e + r], scaled = third * envelope;
            const float turned = HANDED ? half * envelope * g.handedness[source] : 0.0f;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W) {
                const F<W> a = load<W>(scalar + v) * envelope, v_x = load<W>(vector + v);
                const F<W> v_y = load<W>(vector + C + v), v_z = load<W>(vector + 2 * C + v);
                const F<W> along = v_x * y[0] + v_y * y[1] + v_z * y[2];
                const float *x = of_vector + v, *mid = x + V * C, *z = mid + V * C;
                const F<W> s_kept = load<W>(of_scalar + v), s_along = load<W>(of_scalar + C + v);
                const F<W> s_sent = load<W>(x) * y[0] + load<W>(mid) * y[1] + load<W>(z) * y[2];
                const F<W> k_x = load<W>(x + C), k_y = load<W>(mid + C), k_z = load<W>(z + C);
                const F<W> w_along = load<W>(own + 3 * C + v) * s_along * scaled;
                const F<W> w_kept = load<W>(own + 2 * C + v) * envelope;
                add<W>(to_scalar + v, (load<W>(own + v) * s_kept + load<W>(own + C + v) * s_sent) *
                                          envelope);
                F<W> d_x = w_along * y[0] + w_kept * k_x, d_y = w_along * y[1] + w_kept * k_y;
                F<W> d_z = w_along * y[2] + w_kept * k_z;
                store<W>(own + v, a * s_kept);
                store<W>(own + C + v, a * s_sent);
                store<W>(own + 2 * C + v, (v_x * k_x + v_y * k_y + v_z * k_z) * envelope);
                store<W>(own + 3 * C + v, along * s_along * scaled);
                if (HANDED) {
                    const F<W> h_x = load<W>(x + 2 * C), h_y = load<W>(mid + 2 * C);
                    const F<W> h_z = load<W>(z + 2 * C);
                    const F<W> t_x = (h_z * y[1] - h_y * y[2]) * turned;
                    const F<W> t_y = (h_x * y[2] - h_z * y[0]) * turned;
                    const F<W> t_z = (h_y * y[0] - h_x * y[1]) * turned;
                    const F<W> w_turned = load<W>(own + M - C + v);
                    d_x += w_turned * t_x;
                    d_y += w_turned * t_y;
                    d_z += w_turned * t_z;
                    store<W>(own + M - C + v, v_x * t_x + v_y * t_y + v_z * t_z);
                }
                add<W>(to_vector + v, d_x);
                add<W>(to_vector + C + v, d_y);
                add<W>(to_vector + 2 * C + v, d_z);
            }
        }
        if (tile.n < TILE)
            std::memset(tile.weight + tile.n * M, 0, (TILE - tile.n) * M * sizeof(float));
        add_outer<W, N>(tile.weight, M, tile.second, C, s.w_path);
        add_rows<W>(tile.weight, M, s.b_path);
        tile_product<W, N>(tile.weight, M, s.of_path, nothing, C, back);
        for (int v = 0; v < TILE * C; v += W)
            store<W>(back + v, load<W>(back + v) * load<W>(tile.slope_second + v));
        add_outer<W, N>(back, C, tile.first, C, s.w_hidden);
        add_rows<W>(back, C, s.b_hidden);
        tile_product<W, N>(back, C, s.of_hidden, nothing, C, tile.second);
        for (int r = 0; r < tile.n; ++r) {
            float *known = s.known + (g.row ? g.row[e + r] : e + r) * C;
            float *at_source = s.ends + g.source[e + r] * 2 * C;
            float *at_bead = s.ends + tile.into[r] * 2 * C + C;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W) {
                const F<W> slope =
                    load<W>(tile.second + r * C + v) * load<W>(tile.slope_first + r * C + v);
                add<W>(known + v, slope);
                add<W>(at_source + v, slope);
                add<W>(at_bead + v, slope);
            }
        }
    }
}
