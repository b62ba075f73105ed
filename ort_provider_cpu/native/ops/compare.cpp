// Equal, Less, LessOrEqual, Greater, GreaterOrEqual.
#include "engine/registry.h"
#include "ops/binary.h"

namespace ort_cpu {
namespace {

using simd::Compare;

template <Compare K, bool kSwapped>
std::unique_ptr<Kernel> make_comparison(const NodeSpec& node) {
  return std::make_unique<BinaryKernel>(
      BinaryFunction{.loop = compare_loop(node.dtype(0), K), .swapped = kSwapped, .answers = true});
}

const Registration registration{
    {.op = "Equal", .inputs = {kNumbers | kBool}, .make = make_comparison<Compare::equal, false>},
    {.op = "Less", .inputs = {kNumbers}, .make = make_comparison<Compare::less, false>},
    {.op = "LessOrEqual", .inputs = {kNumbers}, .make = make_comparison<Compare::less_or_equal, false>},
    {.op = "Greater", .inputs = {kNumbers}, .make = make_comparison<Compare::less, true>},
    {.op = "GreaterOrEqual", .inputs = {kNumbers}, .make = make_comparison<Compare::less_or_equal, true>},
};

}  // namespace
}  // namespace ort_cpu
