#include "host/elf.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <type_traits>

namespace ort_ops {

namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);
using Entry = ElfW(Dyn);

/// Reads of a file that may be cut short or hold anything.
class File {
 public:
  explicit File(const std::string& path) : stream_(path, std::ios::binary | std::ios::ate) {
    if (stream_) size_ = static_cast<uint64_t>(stream_.tellg());
  }
  uint64_t size() const { return size_; }

  template <class T>
  std::optional<T> at(uint64_t offset) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    stream_.clear();
    if (!stream_.seekg(static_cast<std::streamoff>(offset)) ||
        !stream_.read(reinterpret_cast<char*>(&value), sizeof value))
      return std::nullopt;
    return value;
  }

  std::string string_at(uint64_t offset) {
    constexpr size_t kMost = 4096;
    std::string text(kMost, '\0');
    stream_.clear();
    if (!stream_.seekg(static_cast<std::streamoff>(offset))) return {};
    stream_.read(text.data(), kMost);
    return text.c_str();
  }

 private:
  std::ifstream stream_;
  uint64_t size_ = 0;
};

std::vector<Segment> segments_of(File& file, const Header& header) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = file.at<Segment>(header.e_phoff + i * sizeof(Segment));
    if (!segment) break;
    segments.push_back(*segment);
  }
  return segments;
}

uint64_t file_offset(const std::vector<Segment>& segments, uint64_t address) {
  for (const Segment& segment : segments)
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
      return address - segment.p_vaddr + segment.p_offset;
  return 0;
}

}  // namespace

ElfFacts read_elf(const std::string& path) {
  File file(path);
  const auto header = file.at<Header>(0);
  constexpr unsigned char kClass = sizeof(void*) == 8 ? ELFCLASS64 : ELFCLASS32;
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != kClass) return {};
  const std::vector<Segment> segments = segments_of(file, *header);
  ElfFacts facts;
  facts.is_truncated = segments.size() < header->e_phnum ||
                       std::ranges::any_of(
                           segments,
                           [&](const Segment& segment) {
                             return segment.p_filesz > file.size() || segment.p_offset > file.size() - segment.p_filesz;
                           });
  const auto dynamic = std::ranges::find(segments, static_cast<uint32_t>(PT_DYNAMIC), &Segment::p_type);
  if (facts.is_truncated || dynamic == segments.end()) return facts;
  std::vector<uint64_t> needed;
  for (uint64_t at = 0; at + sizeof(Entry) <= dynamic->p_filesz; at += sizeof(Entry)) {
    const auto entry = file.at<Entry>(dynamic->p_offset + at);
    if (!entry || entry->d_tag == DT_NULL) break;
    if (entry->d_tag == DT_NEEDED) needed.push_back(entry->d_un.d_val);
    if (entry->d_tag == DT_STRTAB) facts.names = file_offset(segments, entry->d_un.d_ptr);
    if (entry->d_tag == DT_SONAME) facts.own_name_entry = dynamic->p_offset + at;
  }
  for (const uint64_t name : needed) facts.needed.push_back(file.string_at(facts.names + name));
  return facts;
}

}  // namespace ort_ops
