// What couples the noise of two beads: a small network on every pair of them.
//
// The formula is that of cgsim.model.noise.heads.PairPrecision, before it is bounded.

// Pairs first to last: C = W * N channels, R pairs at a time.
template <int W, int N, int R> void couple(const Couplings &g) {
    constexpr int C = W * N;
    const int64_t width = C + g.n_attr;
    alignas(64) float rows[R * (C + MOST_ATTR)], hidden[C];
    std::memset(rows, 0, sizeof rows);
    for (int64_t p = g.first; p < g.last; p += R) {
        const int n = g.last - p < R ? static_cast<int>(g.last - p) : R;
        for (int r = 0; r < n; ++r) {
            const int64_t edge = g.once[p + r];
            const float *one = g.scalar + g.source[edge] * C;
            const float *other = g.scalar + g.destination[edge] * C;
            float *row = rows + r * width;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W) store<W>(row + v, load<W>(one + v) * load<W>(other + v));
            std::memcpy(row + C, g.attr + edge * g.n_attr, g.n_attr * sizeof(float));
        }
        F<W> tile[R][N];
        product<W, N, R>(rows, width, g.w_pair, C, g.b_pair, tile);
        for (int r = 0; r < n; ++r) {
            const int64_t edge = g.once[p + r];
            const float *one = g.ends + g.source[edge] * C;
            const float *other = g.ends + g.destination[edge] * C;
#pragma GCC unroll 8
            for (int v = 0; v < C; v += W)
                store<W>(hidden + v,
                         silu<W>(tile[r][v / W] + load<W>(one + v) + load<W>(other + v)));
            for (int64_t o = 0; o < g.n_values; ++o) {
                F<W> sum = {};
#pragma GCC unroll 8
                for (int v = 0; v < C; v += W)
                    sum += load<W>(hidden + v) * load<W>(g.w_out + o * C + v);
                float total = g.b_out[o];
                for (int lane = 0; lane < W; ++lane) total += sum[lane];
                g.out[(p + r) * g.n_values + o] = total;
            }
        }
    }
}

bool couplings(const Couplings &g) {
    if (g.n_attr > MOST_ATTR) return false;
    constexpr int PER = 32 / WIDE;  // registers of 32 channels
    switch (g.n_channels) {
        case 8: couple<8, 1, rows(1)>(g); return true;
        case 16: couple<8, 2, rows(2)>(g); return true;
        case 24: couple<8, 3, rows(3)>(g); return true;
        case 32: couple<WIDE, PER, rows(PER)>(g); return true;
        default: return false;
    }
}
