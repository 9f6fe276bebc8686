// What the machine can do at all, measured: the fastest matrix products and the speed of memory.
#pragma once

namespace kvscope::bench {

// FLOP/s of the fastest of a few large products by oneDNN, weights packed beforehand, all threads.
// 0 where the processor has no such products.
double ProductPeak(bool bfloat16);
// Bytes read and bytes written a second, together, of a copy between blocks beyond any cache.
double CopySpeed();
// Bytes a second of summing such a block.
double ReadSpeed();

}  // namespace kvscope::bench
