/* A plugin of another version than the program, whatever that is. */
#include "trainer/cuda/engine.h"

__attribute__((visibility("default"))) const struct engine_api *
loglog_engine(uint32_t abi)
{
    static const struct engine_api other = {.abi = ENGINE_ABI + 1, .bytes = 8};

    return abi == ENGINE_ABI + 1 ? &other : NULL;
}
