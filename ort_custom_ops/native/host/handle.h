// What every object that we hand to libraries begins with.
#pragma once

#include <cstdint>

namespace ort_ops {

constexpr uint64_t kMagic = 0x4F72744F70486F73;

/// A library keeps one table for the whole process, so objects of another runtime can reach ours; the first word tells.
struct Handle {
  uint64_t magic = kMagic;
};

}  // namespace ort_ops
