// All kernels that learn, for one instruction set.
#include "lanes.hpp"
#include "learning.hpp"
#include "update.hpp"
