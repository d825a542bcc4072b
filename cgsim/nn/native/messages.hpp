// What neighbours send, summed: one pass over the edges, in tiles that stay in the first cache.
//
// The formulas are those of cgsim.nn.convolution, cgsim.nn.product and cgsim.nn.handedness.

// Edges of beads first to last: C = W * N channels, R edges at a time.
template <int W, int N, int R, bool HANDED> void sum_messages(const Messages &g) {
    constexpr int C = W * N, PATHS = HANDED ? 5 : 4, V = HANDED ? 3 : 2;
    alignas(64) float hidden[R * C], weight[R * PATHS * C], last_rows[R * MOST_ATTR];
    const float third = 0.57735026919f, half = 0.70710678119f;  // roots of them
    std::memset(g.out_scalar + g.first * 2 * C, 0, (g.last - g.first) * 2 * C * sizeof(float));
    std::memset(g.out_vector + g.first * 3 * V * C, 0,
                (g.last - g.first) * 3 * V * C * sizeof(float));
    int64_t bead = g.first, into[R];
    const int64_t end = g.start[g.last];
    for (int64_t e = g.start[g.first]; e < end; e += R) {
        const int n = end - e < R ? static_cast<int>(end - e) : R;
        const float *attr = g.attr + e * g.n_attr;
        if (n < R) {
            std::memset(last_rows, 0, sizeof last_rows);
            attr = static_cast<const float *>(
                std::memcpy(last_rows, attr, n * g.n_attr * sizeof(float)));
            std::memset(hidden, 0, sizeof hidden);
        }
        for (int r = 0; r < n; ++r) {
            while (e + r >= g.start[bead + 1]) ++bead;
            into[r] = bead;
        }
        F<W> tile[R][N];
        product<W, N, R>(attr, g.n_attr, g.w_edge, C, g.b_edge, tile);
        for (int r = 0; r < n; ++r) {
            const float *at_source = g.ends + g.source[e + r] * 2 * C;
            const float *at_bead = g.ends + into[r] * 2 * C + C;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W)
                store<W>(hidden + r * C + v,
                         silu<W>(tile[r][v / W] + load<W>(at_source + v) + load<W>(at_bead + v)));
        }
        product<W, N, R>(hidden, C, g.w_hidden, C, g.b_hidden, tile);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W) store<W>(hidden + r * C + v, silu<W>(tile[r][v / W]));
        }
        for (int path = 0; path < PATHS; ++path) {
            product<W, N, R>(hidden, C, g.w_path + path * C, PATHS * C, g.b_path + path * C, tile);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
                for (int v = 0; v < C; v += W)
                    store<W>(weight + (r * PATHS + path) * C + v, tile[r][v / W]);
            }
        }
        for (int r = 0; r < n; ++r) {
            const int64_t source = g.source[e + r];
            const float *scalar = g.scalar + source * C, *vector = g.vector + source * 3 * C;
            const float *y = g.harmonics + (e + r) * 4 + 1, *own = weight + r * PATHS * C;
            float *to_scalar = g.out_scalar + into[r] * 2 * C;
            float *to_vector = g.out_vector + into[r] * 3 * V * C;
            const float envelope = g.envelope[e + r];
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
                float *x = to_vector + v, *z = x + 2 * V * C, *mid = x + V * C;
                add<W>(x, sent * y[0]);
                add<W>(mid, sent * y[1]);
                add<W>(z, sent * y[2]);
                add<W>(x + C, kept * v_x);
                add<W>(mid + C, kept * v_y);
                add<W>(z + C, kept * v_z);
                if (HANDED) {
                    const F<W> crossed = load<W>(own + (PATHS - 1) * C + v) * turned;
                    add<W>(x + 2 * C, crossed * (v_y * y[2] - v_z * y[1]));
                    add<W>(mid + 2 * C, crossed * (v_z * y[0] - v_x * y[2]));
                    add<W>(z + 2 * C, crossed * (v_x * y[1] - v_y * y[0]));
                }
            }
        }
    }
    for (bead = g.first; bead < g.last; ++bead) {
        float degree = 1.0f;
        for (int64_t e = g.start[bead]; e < g.start[bead + 1]; ++e) degree += g.envelope[e];
        const float norm = 1.0f / __builtin_sqrtf(degree);
        for (int c = 0; c < 2 * C; ++c) g.out_scalar[bead * 2 * C + c] *= norm;
        for (int c = 0; c < 3 * V * C; ++c) g.out_vector[bead * 3 * V * C + c] *= norm;
    }
}

template <bool HANDED> bool of_channels(const Messages &g) {
    constexpr int PER = 32 / WIDE;  // registers of 32 channels
    switch (g.n_channels) {
        case 8: sum_messages<8, 1, TILE, HANDED>(g); return true;
        case 16: sum_messages<8, 2, TILE, HANDED>(g); return true;
        case 24: sum_messages<8, 3, TILE * 2 / 3, HANDED>(g); return true;
        case 32: sum_messages<WIDE, PER, TILE * 2 / PER, HANDED>(g); return true;
        default: return false;
    }
}

bool messages(const Messages &g) {
    if (g.n_attr > MOST_ATTR) return false;
    return g.handedness ? of_channels<true>(g) : of_channels<false>(g);
}
