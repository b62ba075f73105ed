// Lists of settings.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/handle.h"

namespace ort_ops {

class KeyValues : public Handle {
 public:
  KeyValues() = default;
  explicit KeyValues(std::map<std::string, std::string> entries) : entries_(std::move(entries)) { refresh(); }

  void set(const char* key, const char* value);
  void remove(const char* key);
  const char* find(const char* key) const;
  size_t size() const { return entries_.size(); }
  const char* const* keys() const { return keys_.data(); }
  const char* const* values() const { return values_.data(); }

 private:
  void refresh();
  std::map<std::string, std::string> entries_;
  std::vector<const char*> keys_, values_;
};

}  // namespace ort_ops
