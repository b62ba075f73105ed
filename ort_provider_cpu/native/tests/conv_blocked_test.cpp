// Blocked convolutions of every algorithm against sums in double.
#include <cstring>
#include <limits>
#include <random>

#include "ops/conv_blocked.h"
#include "simd/conv_layout.h"
#include "tests/check.h"

using namespace ort_cpu;

namespace {

std::vector<float> random_floats(int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> distribution(-1, 1);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = distribution(generator);
  return values;
}

struct Spec {
  int64_t batch, channels, out_channels, group;
  std::vector<int64_t> spatial, kernel, strides, pads, dilations;
};

std::vector<double> expected(const ConvGeometry& g, const std::vector<float>& x, const std::vector<float>& w,
                             const std::vector<float>& bias) {
  std::vector<double> y;
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t o = 0; o < g.out_channels; ++o)
      for (int64_t d = 0; d < g.out[0]; ++d)
        for (int64_t h = 0; h < g.out[1]; ++h)
          for (int64_t v = 0; v < g.out[2]; ++v) {
            double sum = bias[o];
            for (int64_t i = 0; i < g.in_depth(); ++i)
              for (int64_t a = 0; a < g.kernel[0]; ++a)
                for (int64_t b = 0; b < g.kernel[1]; ++b)
                  for (int64_t c = 0; c < g.kernel[2]; ++c) {
                    const int64_t z = d * g.stride[0] + a * g.dilation[0] - g.pad[0];
                    const int64_t r = h * g.stride[1] + b * g.dilation[1] - g.pad[1];
                    const int64_t q = v * g.stride[2] + c * g.dilation[2] - g.pad[2];
                    if (z < 0 || z >= g.in[0] || r < 0 || r >= g.in[1] || q < 0 || q >= g.in[2]) continue;
                    const int64_t channel = o / g.out_depth() * g.in_depth() + i;
                    sum +=
                        double(x[(((n * g.in_channels + channel) * g.in[0] + z) * g.in[1] + r) * g.in[2] + q]) *
                        w[((o * g.in_depth() + i) * g.kernel[0] + a) * g.kernel[1] * g.kernel[2] + b * g.kernel[2] + c];
                  }
            y.push_back(sum);
          }
  return y;
}

using Pack = std::unique_ptr<PackedConv> (*)(const ConvGeometry&, const float*);

void check(const Spec& spec, Pack pack, double tolerance, bool plain_input = false) {
  Attributes attributes;
  if (!spec.strides.empty()) attributes.set("strides", spec.strides);
  if (!spec.pads.empty()) attributes.set("pads", spec.pads);
  if (!spec.dilations.empty()) attributes.set("dilations", spec.dilations);
  attributes.set("group", spec.group);
  Shape weight_shape{spec.out_channels, spec.channels / spec.group};
  for (const int64_t k : spec.kernel) weight_shape.push_back(k);
  const ConvGeometry g =
      conv_geometry(ConvAttributes(attributes), spec.batch, spec.channels, spec.spatial, weight_shape);
  const auto x = random_floats(g.batch * g.in_channels * g.in_pixels(), 1);
  const auto w = random_floats(weight_shape.size(), 2);
  auto bias = random_floats(g.out_channels, 3);
  const auto y = expected(g, x, w, bias);
  bias.resize(static_cast<size_t>(g.out_blocks() * 16));

  std::vector<float> blocked(static_cast<size_t>(g.batch * g.in_blocks() * g.in_pixels() * 16));
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t b = 0; b < g.in_blocks(); ++b) {
      const int present = static_cast<int>(std::min<int64_t>(16, g.in_channels - b * 16));
      float* to = blocked.data() + (n * g.in_blocks() + b) * g.in_pixels() * 16;
      simd::conv_layout_table().to_blocked(x.data() + (n * g.in_channels + b * 16) * g.in_pixels(), g.in_pixels(),
                                           present, g.in_pixels(), to);
      for (int64_t p = 0; p < g.in_pixels(); ++p)
        for (int lane = present; lane < 16; ++lane) to[p * 16 + lane] = std::numeric_limits<float>::quiet_NaN();
    }
  const int64_t out_size = g.batch * g.out_blocks() * g.out_pixels() * 16;
  const auto residual = random_floats(out_size, 4);
  const auto packed = pack(g, w.data());
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads, false);
    const auto prepared = packed->prepare(g, threads);
    std::vector<float> scratch(prepared->scratch_bytes() / 4 + 16);
    std::vector<float> out(static_cast<size_t>(out_size), std::numeric_limits<float>::quiet_NaN());
    const RunContext ctx(nullptr, 0, nullptr, 0, scratch.data(), nullptr, pool, nullptr, nullptr);
    prepared->run(ctx, {plain_input ? x.data() : blocked.data(),
                        bias.data(),
                        plain_input ? nullptr : residual.data(),
                        out.data(),
                        {ActivationKind::clip, -2.0f, 1.5f}});
    double worst = 0;
    for (int64_t n = 0; n < g.batch; ++n)
      for (int64_t o = 0; o < g.out_channels; ++o)
        for (int64_t p = 0; p < g.out_pixels(); ++p) {
          const int64_t at = ((n * g.out_blocks() + o / 16) * g.out_pixels() + p) * 16 + o % 16;
          const double sum = y[(n * g.out_channels + o) * g.out_pixels() + p] + (plain_input ? 0.0f : residual[at]);
          const double error = std::fabs(out[at] - std::min(1.5, std::max(-2.0, sum)));
          worst = error >= worst || std::isnan(error) ? error : worst;
        }
    CHECK_NEAR(worst, 0, tolerance);
  }
}

std::unique_ptr<PackedConv> direct(const ConvGeometry& g, const float* w) {
  return pack_direct(g, w, has_few_pixels(g));
}
std::unique_ptr<PackedConv> wide(const ConvGeometry& g, const float* w) { return pack_direct(g, w, true); }
std::unique_ptr<PackedConv> winograd_2(const ConvGeometry& g, const float* w) { return pack_winograd(g, w, 2); }
std::unique_ptr<PackedConv> winograd_4(const ConvGeometry& g, const float* w) { return pack_winograd(g, w, 4); }

}  // namespace

TEST(direct_convolutions_equal_sums) {
  const std::vector<Spec> specs = {
      {1, 16, 16, 1, {5, 5}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {2, 40, 24, 1, {9, 15}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 33, 100, 1, {7, 7}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {}},
      {1, 16, 48, 1, {8, 8}, {3, 3}, {2, 2}, {0, 0, 1, 1}, {}},
      {3, 24, 40, 1, {6, 29}, {1, 1}, {}, {}, {}},
      {2, 64, 96, 1, {1, 1}, {1, 1}, {}, {}, {}},
      {1, 70, 130, 1, {2, 2}, {1, 1}, {}, {}, {}},
      {1, 32, 32, 1, {9, 9}, {1, 1}, {2, 2}, {}, {}},
      {1, 20, 36, 1, {10, 11}, {5, 5}, {}, {2, 2, 2, 2}, {}},
      {1, 20, 36, 1, {13, 14}, {7, 7}, {3, 3}, {3, 2, 1, 0}, {}},
      {1, 18, 20, 1, {12, 12}, {3, 3}, {}, {2, 2, 2, 2}, {2, 2}},
      {1, 18, 20, 1, {12, 40}, {3, 3}, {2, 4}, {2, 3, 2, 3}, {2, 3}},
      {1, 16, 16, 1, {1, 1}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 16, 16, 1, {1, 1}, {3, 3}, {}, {5, 5, 5, 5}, {}},
      {2, 64, 96, 2, {7, 7}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 96, 144, 3, {7, 7}, {1, 1}, {}, {}, {}},
      {2, 20, 20, 1, {31}, {3}, {}, {1, 1}, {}},
      {1, 20, 20, 1, {31}, {4}, {3}, {1, 2}, {2}},
      {1, 17, 20, 1, {5, 6, 7}, {3, 3, 3}, {}, {1, 1, 1, 1, 1, 1}, {}},
      {1, 17, 20, 1, {5, 6, 7}, {3, 2, 2}, {2, 1, 2}, {2, 0, 1, 0, 1, 0}, {1, 2, 1}},
      {1, 16, 16, 1, {4, 4}, {2, 2}, {2, 2}, {}, {}},
      {1, 3000, 20, 1, {3, 3}, {1, 1}, {}, {}, {}},
  };
  for (const Spec& spec : specs) check(spec, direct, 2e-4);
  for (const Spec& spec : specs) check(spec, wide, 2e-4);
}

TEST(winograd_convolutions_equal_sums) {
  const std::vector<Spec> specs = {
      {1, 64, 64, 1, {14, 14}, {3, 3}, {}, {1, 1, 1, 1}, {}},  {2, 24, 40, 1, {9, 17}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 33, 70, 1, {5, 7}, {3, 3}, {}, {0, 0, 0, 0}, {}},    {3, 16, 16, 1, {3, 3}, {3, 3}, {}, {2, 1, 0, 2}, {}},
      {1, 128, 128, 1, {8, 30}, {3, 3}, {}, {1, 1, 1, 1}, {}},
  };
  for (const Spec& spec : specs) {
    check(spec, winograd_2, 2e-4);
    check(spec, winograd_4, 1e-3);
  }
}

TEST(depthwise_convolutions_equal_sums) {
  const std::vector<Spec> specs = {
      {1, 16, 16, 16, {7, 7}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {2, 40, 40, 40, {15, 16}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {}},
      {1, 24, 24, 24, {16, 16}, {3, 3}, {2, 2}, {0, 0, 1, 1}, {}},
      {1, 24, 24, 24, {9, 9}, {3, 3}, {}, {}, {}},
      {1, 24, 24, 24, {1, 1}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 24, 48, 24, {9, 8}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 24, 24, 24, {14, 14}, {5, 5}, {}, {2, 2, 2, 2}, {}},
      {1, 24, 24, 24, {15, 14}, {7, 7}, {2, 2}, {3, 3, 3, 3}, {}},
      {1, 24, 72, 24, {13, 14}, {3, 3}, {3, 2}, {1, 4, 1, 0}, {2, 3}},
      {2, 20, 20, 20, {31}, {3}, {}, {1, 1}, {}},
      {1, 20, 20, 20, {5, 6, 7}, {3, 3, 3}, {2, 1, 1}, {1, 1, 1, 1, 1, 1}, {}},
      {1, 20, 20, 20, {40, 90}, {5, 5}, {}, {2, 2, 2, 2}, {}},
  };
  for (const Spec& spec : specs) check(spec, pack_depthwise, 1e-5);
}

TEST(grouped_convolutions_equal_sums) {
  std::vector<Spec> specs = {
      {2, 64, 64, 16, {9, 29}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 48, 48, 6, {15, 16}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {}},
      {1, 48, 24, 6, {15, 16}, {5, 5}, {2, 2}, {0, 1, 2, 3}, {}},
      {1, 24, 48, 12, {7, 7}, {2, 4}, {}, {1, 2, 0, 1}, {}},
      {1, 40, 20, 20, {9, 8}, {3, 3}, {3, 4}, {1, 4, 1, 0}, {2, 3}},
      {1, 36, 60, 12, {12, 31}, {7, 7}, {}, {3, 3, 3, 3}, {}},
      {1, 32, 32, 8, {1, 2}, {3, 3}, {}, {5, 7, 5, 7}, {}},
      {2, 48, 48, 4, {4, 5}, {1, 1}, {}, {}, {}},
      {1, 48, 48, 2, {9, 9}, {1, 1}, {2, 2}, {}, {}},
      {2, 24, 24, 3, {40}, {10}, {5}, {3, 2}, {}},
      {1, 48, 48, 4, {50}, {9}, {}, {4, 4}, {}},
      {1, 24, 30, 6, {5, 6, 7}, {3, 2, 3}, {2, 1, 1}, {2, 0, 1, 0, 1, 1}, {1, 2, 1}},
      {1, 200, 150, 2, {5, 6}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 20, 20, 1, {5, 6}, {3, 3}, {}, {1, 1, 1, 1}, {}},
  };
  for (const int64_t width : {1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 40, 56, 64})
    specs.push_back({1, 3 * width, 3 * width, 3, {3, 6}, {3, 3}, {}, {1, 1, 1, 1}, {}});
  for (int64_t pixels = 1; pixels <= 15; ++pixels)
    for (const int64_t stride : {1, 2, 3})
      for (const int64_t group : {2, 3, 8}) {
        const int64_t width = (pixels - 1) * stride + 1;
        specs.push_back({1, 24, 24, group, {2, width}, {2, 3}, {1, stride}, {0, 1, 1, 1}, {}});
      }
  for (const Spec& spec : specs) check(spec, pack_grouped, 2e-4);
}

TEST(stem_convolutions_equal_sums) {
  const std::vector<Spec> specs = {
      {1, 3, 64, 1, {30, 30}, {7, 7}, {2, 2}, {3, 3, 3, 3}, {}},
      {2, 3, 40, 1, {17, 19}, {3, 3}, {2, 2}, {1, 1, 1, 1}, {}},
      {1, 1, 20, 1, {9, 9}, {3, 3}, {}, {1, 1, 1, 1}, {}},
      {1, 3, 48, 1, {33, 32}, {16, 16}, {16, 16}, {}, {}},
      {1, 4, 24, 1, {11, 13}, {3, 5}, {3, 2}, {2, 1, 0, 3}, {2, 2}},
      {1, 2, 24, 1, {30}, {5}, {2}, {2, 2}, {}},
      {1, 3, 24, 1, {6, 8, 9}, {2, 3, 3}, {2, 2, 1}, {0, 1, 1, 0, 1, 1}, {}},
      {1, 9, 24, 1, {40, 40}, {20, 20}, {20, 20}, {}, {}},
      {2, 1, 40, 1, {700}, {10}, {5}, {3, 4}, {}},
      {1, 2, 24, 1, {3, 3}, {3, 3}, {}, {9, 9, 9, 9}, {}},
      {1, 2, 24, 1, {90, 300}, {7, 7}, {1, 2}, {3, 3, 3, 3}, {}},
      {3, 3, 70, 1, {12, 5}, {2, 4}, {3, 1}, {2, 0, 1, 0}, {2, 1}},
  };
  for (const Spec& spec : specs) check(spec, pack_stem, 2e-4, true);
}

TEST(layout_round_trip_keeps_channels) {
  for (const int64_t channels : {1, 15, 16}) {
    const int64_t pixels = 37;
    const auto planes = random_floats(channels * pixels, 5);
    std::vector<float> blocked(16 * pixels), back(channels * pixels);
    simd::conv_layout_table().to_blocked(planes.data(), pixels, static_cast<int>(channels), pixels, blocked.data());
    simd::conv_layout_table().from_blocked(blocked.data(), pixels, static_cast<int>(channels), back.data(), pixels);
    CHECK(back == planes);
    for (int64_t p = 0; p < pixels; ++p)
      for (int64_t lane = channels; lane < 16; ++lane) CHECK(blocked[p * 16 + lane] == 0.0f);
  }
}

TEST_MAIN()
