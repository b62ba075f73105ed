// Domains of operators, and the options that they are added to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/abi.h"
#include "host/handle.h"

namespace ort_ops {

struct Domain : Handle {
  std::string name;
  std::vector<const CustomOp*> ops;
};

/// What stands for session options while a library registers its operators.
struct Registry : Handle {
  std::vector<const Domain*> domains;
  std::map<std::string, std::string> config;
};

}  // namespace ort_ops
