// All kernels that learn, for one instruction set.
#include "lanes.hpp"
#include "message.hpp"
#include "learning.hpp"
#include "update.hpp"
