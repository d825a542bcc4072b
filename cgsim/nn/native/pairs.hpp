// All pairs of beads of one system that are near, joined with pairs that are edges anyway.
//
// For systems of some hundred beads, where looking at every pair is faster than a list of cells.
// Counts the edges into every bead, or writes them, sorted by destination and source.

bool pairs(const Pairs &g) {
    float square[MOST_BEADS];
    for (int64_t system = g.first; system < g.last; ++system) {
        const int64_t first = g.first_bead[system], n = g.first_bead[system + 1] - first;
        const float *x = g.x + first, *y = g.y + first, *z = g.z + first;
        for (int64_t i = 0; i < n; ++i) {
            const float x_i = x[i], y_i = y[i], z_i = z[i];
            for (int64_t j = 0; j < n; ++j) {
                const float a = x[j] - x_i, b = y[j] - y_i, c = z[j] - z_i;
                square[j] = a * a + b * b + c * c;
            }
            const int64_t bead = first + i, last_known = g.known[bead + 1];
            int64_t k = g.known[bead], at = g.source ? g.start[bead] : 0;
            for (int64_t j = 0; j < n; ++j) {
                const bool is_known = k < last_known && g.known_source[k] == first + j;
                if (is_known || (square[j] < g.cutoff_square && j != i)) {
                    if (g.source) {
                        g.source[at] = first + j;
                        g.destination[at] = bead;
                        g.which[at] = is_known ? k : -1;
                    }
                    ++at;
                }
                k += is_known;
            }
            if (!g.source) g.start[bead] = at;
        }
    }
    return true;
}
