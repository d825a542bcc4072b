// What beads make of what they receive: two linear maps, a gate, a residual; and its gradient.
//
// Included once for every instruction set, after learning.hpp. The formulas are those of
// cgsim.nn.convolution, cgsim.nn.linear and cgsim.nn.gate.

// Rows of two arrays, joined, with zeros behind the last.
template <int LEFT, int RIGHT>
INLINE void join(const float *left, const float *right, int n_rows, float *to) {
    for (int r = 0; r < n_rows; ++r) {
        std::memcpy(to + r * (LEFT + RIGHT), left + r * LEFT, LEFT * sizeof(float));
        std::memcpy(to + r * (LEFT + RIGHT) + LEFT, right + r * RIGHT, RIGHT * sizeof(float));
    }
    std::memset(to + n_rows * (LEFT + RIGHT), 0, (TILE - n_rows) * (LEFT + RIGHT) * sizeof(float));
}

template <int W> INLINE F<W> sigmoid(F<W> x) { return 1.0f / (exponential<W>(-x) + 1.0f); }

INLINE int at_most(int64_t n_rows) { return n_rows < TILE ? static_cast<int>(n_rows) : TILE; }

template <int W, int N, bool HANDED> void update(const Update &g) {
    constexpr int C = W * N, V = HANDED ? 3 : 2;
    alignas(64) float in[TILE * (1 + V) * C], out[TILE * 2 * C];
    alignas(64) const float nothing[2 * C] = {};
    for (int64_t bead = g.first; bead < g.last; bead += TILE) {
        const int n = at_most(g.last - bead);
        join<C, 2 * C>(g.scalar + bead * C, g.sum_scalar + bead * 2 * C, n, in);
        tile_product<W, N>(in, 3 * C, g.w_scalar, nothing, 2 * C, out);
        std::memcpy(g.open_scalar + bead * 2 * C, out, n * 2 * C * sizeof(float));
    }
    for (int64_t row = 3 * g.first; row < 3 * g.last; row += TILE) {
        const int n = at_most(3 * g.last - row);
        join<C, V * C>(g.vector + row * C, g.sum_vector + row * V * C, n, in);
        tile_product<W, N>(in, (1 + V) * C, g.w_vector, nothing, C, out);
        std::memcpy(g.open_vector + row * C, out, n * C * sizeof(float));
    }
    for (int64_t bead = g.first; bead < g.last; ++bead) {
        for (int v = 0; v < C; v += W) {
            const F<W> own = load<W>(g.open_scalar + bead * 2 * C + v);
            const F<W> gate = g.scale[1] * sigmoid<W>(load<W>(g.open_scalar + bead * 2 * C + C + v));
            const int64_t at = bead * C + v;
            store<W>(g.out_scalar + at,
                     load<W>(g.scalar + at) + g.scale[0] * own * sigmoid<W>(own));
            for (int64_t a = bead * 3 * C + v; a < (bead + 1) * 3 * C; a += C)
                store<W>(g.out_vector + a,
                         load<W>(g.vector + a) + gate * load<W>(g.open_vector + a));
        }
    }
}

// Slopes of a tile of rows: of the weights, and of what was joined.
template <int W, int N, int LEFT, int RIGHT>
INLINE void add_linear(const float *in, const float *slope, int64_t columns, const float *turned,
                       float *of_weight, float *back) {
    alignas(64) const float nothing[LEFT + RIGHT] = {};
    add_outer<W, N>(in, LEFT + RIGHT, slope, columns, of_weight);
    tile_product<W, N>(slope, columns, turned, nothing, LEFT + RIGHT, back);
}

template <int W, int N, bool HANDED> void update_slopes(const UpdateSlopes &g) {
    constexpr int C = W * N, V = HANDED ? 3 : 2;
    alignas(64) float in[TILE * (1 + V) * C], back[TILE * (1 + V) * C];
    alignas(64) float of_scalar[TILE * 2 * C], of_vector[3 * TILE * C];
    for (int64_t bead = g.first; bead < g.last; bead += TILE) {
        const int n = at_most(g.last - bead);
        std::memset(of_scalar, 0, sizeof of_scalar);
        std::memset(of_vector, 0, sizeof of_vector);
        for (int r = 0; r < n; ++r) {
            for (int v = 0; v < C; v += W) {
                const float *open = g.open_scalar + (bead + r) * 2 * C + v;
                const F<W> x = load<W>(open), own = sigmoid<W>(x), gate = sigmoid<W>(load<W>(open + C));
                F<W> through = {};
                for (int a = v; a < 3 * C; a += C) {
                    const F<W> slope = load<W>(g.of_vector + (bead + r) * 3 * C + a);
                    through += slope * load<W>(g.open_vector + (bead + r) * 3 * C + a);
                    store<W>(of_vector + r * 3 * C + a, g.scale[1] * gate * slope);
                }
                store<W>(of_scalar + r * 2 * C + v, load<W>(g.of_scalar + (bead + r) * C + v) *
                                                        (g.scale[0] * own * (1.0f + x * (1.0f - own))));
                store<W>(of_scalar + r * 2 * C + C + v, through * (g.scale[1] * gate * (1.0f - gate)));
            }
        }
        join<C, 2 * C>(g.scalar + bead * C, g.sum_scalar + bead * 2 * C, n, in);
        add_linear<W, N, C, 2 * C>(in, of_scalar, 2 * C, g.turned_scalar, g.w_scalar, back);
        for (int r = 0; r < n; ++r) {
            const float norm = g.norm[bead + r];
            const float *from = back + r * 3 * C;
            for (int c = 0; c < C; ++c)
                g.to_scalar[(bead + r) * C + c] = g.of_scalar[(bead + r) * C + c] + from[c];
            for (int c = 0; c < 2 * C; ++c)
                g.to_sum_scalar[(bead + r) * 2 * C + c] = from[C + c] * norm;
        }
        for (int64_t first = 0; first < 3 * n; first += TILE) {
            const int64_t row = 3 * bead + first;
            const int n_rows = at_most(3 * n - first);
            join<C, V * C>(g.vector + row * C, g.sum_vector + row * V * C, n_rows, in);
            add_linear<W, N, C, V * C>(in, of_vector + first * C, C, g.turned_vector, g.w_vector,
                                       back);
            for (int r = 0; r < n_rows; ++r) {
                const float norm = g.norm[(row + r) / 3];
                const float *from = back + r * (1 + V) * C;
                for (int c = 0; c < C; ++c)
                    g.to_vector[(row + r) * C + c] = g.of_vector[(row + r) * C + c] + from[c];
                for (int c = 0; c < V * C; ++c)
                    g.to_sum_vector[(row + r) * V * C + c] = from[C + c] * norm;
            }
        }
    }
}

// Rows of any width, with zeros up to a multiple of eight and behind the last.
INLINE void widen(const float *rows, int64_t n_in, int64_t width, int n_rows, float *to) {
    std::memset(to, 0, TILE * width * sizeof(float));
    for (int r = 0; r < n_rows; ++r)
        std::memcpy(to + r * width, rows + r * n_in, n_in * sizeof(float));
}

template <int W, int N> void linear(const Linear &g) {
    constexpr int C = W * N;
    const int64_t width = (g.n_in + 7) / 8 * 8;
    alignas(64) float in[TILE * MOST_IN], out[TILE * C];
    for (int64_t row = 0; row < g.n_rows; row += TILE) {
        const int n = at_most(g.n_rows - row);
        widen(g.rows + row * g.n_in, g.n_in, width, n, in);
        tile_product<W, N>(in, width, g.weight, g.bias, C, out);
        std::memcpy(g.out + row * C, out, n * C * sizeof(float));
    }
}

template <int W, int N> void linear_slopes(const LinearSlopes &g) {
    constexpr int C = W * N;
    const int64_t width = (g.n_in + 7) / 8 * 8;
    alignas(64) float in[TILE * MOST_IN], slope[TILE * C];
    alignas(64) const float nothing[MOST_IN] = {};
    for (int64_t row = 0; row < g.n_rows; row += TILE) {
        const int n = at_most(g.n_rows - row);
        widen(g.rows + row * g.n_in, g.n_in, width, n, in);
        widen(g.slope + row * C, C, C, n, slope);
        add_outer<W, N>(in, width, slope, C, g.of_weight);
        add_rows<W>(slope, C, g.of_bias);
        if (!g.of_rows) continue;
        tile_product<8, 1>(slope, C, g.turned, nothing, width, in);
        for (int r = 0; r < n; ++r)
            std::memcpy(g.of_rows + (row + r) * g.n_in, in + r * width, g.n_in * sizeof(float));
    }
}

template <bool HANDED> struct Of {
    template <int W, int N> static void run(const Sums &s) { sum_messages<W, N, HANDED>(s); }
    template <int W, int N> static void run(const Slopes &s) { add_slopes<W, N, HANDED>(s); }
    template <int W, int N> static void run(const Update &s) { update<W, N, HANDED>(s); }
    template <int W, int N> static void run(const UpdateSlopes &s) {
        update_slopes<W, N, HANDED>(s);
    }
    template <int W, int N> static void run(const Linear &s) { linear<W, N>(s); }
    template <int W, int N> static void run(const LinearSlopes &s) { linear_slopes<W, N>(s); }

    template <class Arguments> static bool channels(const Arguments &s, int64_t n_channels) {
        switch (n_channels) {
            case 8: run<8, 1>(s); return true;
            case 16: run<8, 2>(s); return true;
            case 24: run<8, 3>(s); return true;
            case 32: run<WIDE, 32 / WIDE>(s); return true;
            default: return false;
        }
    }
};

template <class Arguments> bool kernel(const Arguments &s) {
    return s.is_chiral() ? Of<true>::channels(s, s.channels())
                         : Of<false>::channels(s, s.channels());
}
