// Attributes of nodes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "host/abi.h"
#include "host/handle.h"
#include "host/values.h"

namespace ort_ops {

struct Attribute : Handle {
  std::string name;
  /// The order of the alternatives follows `AttributeType`; graphs cannot be read.
  std::variant<std::monostate, int64_t, std::vector<int64_t>, float, std::vector<float>, std::string,
               std::vector<std::string>, std::monostate, std::shared_ptr<const Value>>
      value;

  AttributeType type() const { return static_cast<AttributeType>(value.index()); }
  template <AttributeType Type>
  const auto* get_if() const {
    return std::get_if<static_cast<size_t>(Type)>(&value);
  }
};

using Attributes = std::map<std::string, Attribute, std::less<>>;

/// Copies `size` (in: room, out: length with the terminator) characters; a null `out` asks for the length only.
Status* copy_string(const std::string& string, char* out, size_t* size);

}  // namespace ort_ops
