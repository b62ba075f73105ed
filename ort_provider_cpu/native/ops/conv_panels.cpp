#include "ops/conv_panels.h"

namespace ort_cpu {

AlignedArray<float> zeroed_floats(int64_t count) {
  require(count >= 0 && count < (int64_t{1} << 60), count, " packed weights are more than memory can address");
  AlignedArray<float> floats(static_cast<size_t>(count));
  std::fill_n(floats.data(), count, 0.0f);
  return floats;
}

std::vector<ConvPanel> conv_panels(const ConvGeometry& g, int widest, int usual, int odd) {
  const int64_t in_blocks = (g.in_depth() + 15) / 16, out_blocks = (g.out_depth() + 15) / 16;
  std::vector<ConvPanel> panels;
  int64_t weights = 0;
  for (int64_t group = 0; group < g.group; ++group)
    for (int64_t block = 0; block < out_blocks;) {
      const int64_t left = out_blocks - block;
      const int blocks = left == odd ? odd : left >= widest ? widest : left >= usual ? usual : 1;
      panels.push_back({blocks, group * out_blocks + block, group * in_blocks, weights});
      block += blocks;
      weights += in_blocks * g.taps() * 16 * blocks * 16;
    }
  return panels;
}

AlignedArray<float> pack_panels(const ConvGeometry& g, const std::vector<ConvPanel>& panels, const float* weights) {
  const int64_t depth = g.in_depth(), taps = g.taps(), in_blocks = (depth + 15) / 16;
  int64_t total = 0;
  for (const ConvPanel& panel : panels) total = std::max(total, panel.weights + in_blocks * taps * 256 * panel.blocks);
  AlignedArray<float> packed = zeroed_floats(total);
  for (const ConvPanel& panel : panels) {
    const int64_t width = panel.blocks * 16, first = panel.out_block * 16;
    const int64_t present = std::min(width, g.out_channels - first);
    for (int64_t block = 0; block < in_blocks; ++block) {
      float* to = packed.data() + panel.weights + block * taps * 16 * width;
      const int64_t rows = std::min<int64_t>(16, depth - block * 16);
      for (int64_t o = 0; o < present; ++o) {
        const float* from = weights + ((first + o) * depth + block * 16) * taps;
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t t = 0; t < taps; ++t) to[(t * 16 + i) * width + o] = from[i * taps + t];
      }
    }
  }
  return packed;
}

}  // namespace ort_cpu
