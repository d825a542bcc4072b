// All kernels for one instruction set.
#include "lanes.hpp"
#include "message.hpp"
#include "convolution.hpp"
#include "edges.hpp"
#include "couplings.hpp"
#include "pairs.hpp"
