// Panels of output channels, in which dense weights are packed.
#pragma once

#include <vector>

#include "engine/aligned.h"
#include "ops/conv_geometry.h"

namespace ort_cpu {

/// A few adjacent blocks of output channels of one group.
struct ConvPanel {
  int blocks;
  int64_t out_block;  // the first one
  int64_t in_block;   // the first input block of the group
  int64_t weights;    // offset of the panel's packed weights
};

/// Aligned zeros, to pack weights into.
AlignedArray<float> zeroed_floats(int64_t count);

/// Panels of `widest` blocks, narrower ones where a group has no more; the last `odd` blocks of a group become one.
std::vector<ConvPanel> conv_panels(const ConvGeometry& geometry, int widest, int usual, int odd = 1);

/// Packs weights [OC, IC / group, taps] to [panel][input block][tap][16][panel width]; missing channels are zeros.
AlignedArray<float> pack_panels(const ConvGeometry& geometry, const std::vector<ConvPanel>& panels,
                                const float* weights);

}  // namespace ort_cpu
