// What a kernel can ask about the node that it is made for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/attributes.h"
#include "host/handle.h"
#include "host/types.h"
#include "host/values.h"

namespace ort_ops {

/// A port of a node. Its name is empty if the node leaves it out; the kind of its type is unknown if nobody knows it.
struct Port {
  std::string name;
  TypeInfo type;
  std::shared_ptr<const Value> constant;
};

struct NodeFacts {
  std::string name, op_type, domain;
  int32_t since_version = 1;
  std::vector<Port> inputs, outputs;
  Attributes attributes;
  std::map<std::string, std::string> config;
};

/// Copies share the facts.
struct KernelInfo : Handle {
  std::shared_ptr<const NodeFacts> node;
};

}  // namespace ort_ops
