// What an edge says of itself, one row after another.
//
// The formulas are those of cgsim.nn.edges, cgsim.nn.radial and cgsim.model.score.network.

// basis(r) to `row`, which has room for W floats more.
template <int W> INLINE float *basis(float *row, float distance, const Edges &g) {
    const float inverse_width = static_cast<float>(g.inverse_width);
    for (int64_t c = 0; c < g.n_radial; c += W) {
        const F<W> off = (distance - load<W>(g.centres + c)) * inverse_width;
        store<W>(row + c, exponential<W>(off * off * -0.5f));
    }
    return row + g.n_radial;
}

INLINE float length(const float *v) {
    return __builtin_sqrtf(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

// One over the length, as torch.nn.functional.normalize has it.
INLINE float inverse(float length) { return 1.0f / (length > 1e-12f ? length : 1e-12f); }

template <int W> void describe_rows(const Edges &g) {
    float row[MOST_ATTR + 2 * W];
    const float cutoff = static_cast<float>(g.cutoff), stretch = static_cast<float>(g.stretch);
    for (int64_t e = g.first; e < g.last; ++e) {
        const float *v = g.vector + 3 * e;
        const int64_t hop = g.hop[e], source = g.source[e], destination = g.destination[e];
        const float distance = length(v), unit = inverse(distance);
        float *to = row;
        *to++ = distance;
        to = basis<W>(to, distance, g);
        for (int64_t h = 0; h <= g.n_hops; ++h) *to++ = h == hop;
        if (g.has_ideal) {
            const float ideal = g.reach[e];
            *to++ = ideal > 0 ? __builtin_logf(ideal) : 0.0f;
            *to++ = ideal > 0 ? distance / ideal : 0.0f;
        }
        const float *one = g.kind + source * g.n_pair, *other = g.kind + destination * g.n_pair;
        for (int64_t p = 0; p < g.n_pair; ++p) *to++ = one[p] * other[p];
        if (g.before) {
            const float *b = g.before + 3 * e;
            const float then = length(b);
            const float turned = (v[0] * b[0] + v[1] * b[1] + v[2] * b[2]) * unit * inverse(then);
            const float seen = g.seen ? g.seen[source] * g.seen[destination] : 1.0f;
            float *change = to;
            *to++ = then;
            *to++ = __builtin_asinhf(stretch * (distance - then));
            *to++ = turned;
            to = basis<W>(to, then, g);
            for (; change < to; ++change) *change *= seen;
        }
        std::memcpy(g.attr + e * g.n_attr, row, g.n_attr * sizeof(float));
        float *y = g.harmonics + 4 * e;
        y[0] = 1.0f;
        for (int a = 0; a < 3; ++a) y[1 + a] = 1.73205080757f * (v[a] * unit);
        const float near = distance / cutoff, u = near < 1.0f ? near : 1.0f, rest = 1.0f - u;
        g.envelope[e] = hop > 0 ? 1.0f : rest * rest * rest * (1.0f + u * (3.0f + 6.0f * u));
    }
}

bool edges(const Edges &g) {
    if (g.n_attr > MOST_ATTR) return false;
    describe_rows<8>(g);
    return true;
}
