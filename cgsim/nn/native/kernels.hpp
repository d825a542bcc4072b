// All kernels for one instruction set.
#include "lanes.hpp"
#include "messages.hpp"
#include "edges.hpp"
#include "couplings.hpp"
#include "pairs.hpp"
