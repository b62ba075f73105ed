// What a shared library asks the dynamic linker for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ort_ops {

struct ElfFacts {
  /// The libraries that the file is linked to.
  std::vector<std::string> needed;
  /// Whether the file ends before what it is to hold: the dynamic linker would crash on it.
  bool is_truncated = false;
  /// Where the file has its names, and the entry that says which of them is its own; 0 if it has none.
  uint64_t names = 0, own_name_entry = 0;
};

/// Nothing is known of files that are no ELF files of this machine's kind.
ElfFacts read_elf(const std::string& path);

}  // namespace ort_ops
