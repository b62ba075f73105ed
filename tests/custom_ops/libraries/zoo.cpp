// Operators that use every part of the interface, for test_library_kernels.py and its siblings.
#include <thread>

#include "custom_op_abi.h"

namespace {

Table table;

struct Stateless {
  explicit Stateless(Info) {}
};

struct AddOne : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    const void* x = c.input(0);
    const float* from = c.data<float>(x);
    float* to = c.data<float>(c.output(0, c.shape(x)));
    for (size_t i = 0, n = c.count(x); i < n; ++i) to[i] = from[i] + 1;
  }
};

/// Copies the bytes of any tensor; the second output is its element type.
struct Identity : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    const void* x = c.input(0);
    void* info;
    call(c.api, 65, x, &info);
    int type;
    call(c.api, 60, info, &type);
    slot<void>(c.api, 99, info);
    void* y = c.output(0, c.shape(x));
    if (type == kString) c.fill(y, c.strings(x));
    else {
      size_t bytes;
      call(c.api, 318, x, &bytes);
      std::memcpy(c.data<char>(y), c.data<char>(x), bytes);
    }
    *c.data<int64_t>(c.output(1, {})) = type;
  }
};

struct Throws : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    switch (*c.data<int64_t>(c.input(0))) {
      case 0: throw std::runtime_error("the kernel is tired");
      case 1: throw 7;
      case 2: return;
      case 3: c.output(0, {-1}); return;
      case 4:
        c.output(0, {2});
        c.output(0, {3});
        return;
      case 5: c.output(9, {2}); return;
      case 6: call(c.api, 8, nullptr); return;
      case 7: call(c.api, 54, static_cast<void*>(nullptr), nullptr, size_t(0), nullptr, size_t(0)); return;
      case 8: c.output(0, {int64_t(1) << 40, int64_t(1) << 40}); return;
      case 9: c.strings(c.input(0)); return;
      case 11: throw std::runtime_error("na\xEFve \xE2\x82\xAC\xF0\x9F\x98\x80\xC3");
      case 10: {
        void* resource;
        call(c.api, 265, c.context, 1, 2, &resource);
        return;
      }
    }
  }
};

struct FailsToStart {
  explicit FailsToStart(Info) { throw std::runtime_error("there is no vocabulary"); }
  void compute(Call) {}
};

struct Zeros : Stateless {
  using Stateless::Stateless;
  void compute(Call c) { c.output(0, {3, 2}); }
};

/// What the node says of itself, one string a line.
struct Describe {
  std::vector<std::string> lines;
  explicit Describe(Info k) {
    const auto attempt = [&](const char* what, auto body) {
      try {
        lines.push_back(std::string(what) + "=" + body());
      } catch (const std::exception& error) {
        lines.push_back(std::string(what) + "!" + error.what());
      }
    };
    attempt("node", [&] { return k.text(244); });
    attempt("type", [&] { return k.text(393); });
    attempt("domain", [&] { return k.text(392); });
    attempt("since", [&] {
      int version;
      call(k.api, 394, k.info, &version);
      return std::to_string(version);
    });
    attempt("inputs", [&] {
      size_t n;
      call(k.api, 230, k.info, &n);
      std::string names;
      for (size_t i = 0; i < n; ++i) names += k.text(232, i) + ";";
      return names;
    });
    attempt("outputs", [&] {
      size_t n;
      call(k.api, 231, k.info, &n);
      std::string names;
      for (size_t i = 0; i < n; ++i) names += k.text(233, i) + ";";
      return names;
    });
    attempt("input_type", [&] {
      void* type;
      call(k.api, 234, k.info, size_t(0), &type);
      const void* tensor;
      call(k.api, 55, type, &tensor);
      size_t rank;
      call(k.api, 61, tensor, &rank);
      std::vector<int64_t> dims(rank);
      std::vector<const char*> symbols(rank);
      call(k.api, 62, tensor, dims.data(), rank);
      call(k.api, 63, tensor, symbols.data(), rank);
      std::string text;
      for (size_t i = 0; i < rank; ++i) text += *symbols[i] ? symbols[i] : std::to_string(dims[i]) + ",";
      slot<void>(k.api, 98, type);
      return text;
    });
    attempt("float", [&] {
      float value;
      call(k.api, 85, k.info, "a_float", &value);
      return std::to_string(value);
    });
    attempt("int", [&] {
      int64_t value;
      call(k.api, 86, k.info, "an_int", &value);
      return std::to_string(value);
    });
    attempt("string", [&] { return k.text(87, "a_string"); });
    attempt("floats", [&] {
      size_t n = 0;
      call(k.api, 162, k.info, "floats", nullptr, &n);
      std::vector<float> values(n);
      call(k.api, 162, k.info, "floats", values.data(), &n);
      std::string text;
      for (float value : values) text += std::to_string(value) + ";";
      return text;
    });
    attempt("ints", [&] {
      size_t n = 0;
      call(k.api, 163, k.info, "ints", nullptr, &n);
      std::vector<int64_t> values(n);
      call(k.api, 163, k.info, "ints", values.data(), &n);
      std::string text;
      for (int64_t value : values) text += std::to_string(value) + ";";
      return text;
    });
    attempt("strings", [&] {
      void* allocator;
      call(k.api, 78, &allocator);
      char** values;
      size_t n;
      call(k.api, 417, k.info, "strings", allocator, &values, &n);
      std::string text;
      for (size_t i = 0; i < n; ++i) {
        text += std::string(values[i]) + ";";
        call(k.api, 76, allocator, values[i]);
      }
      call(k.api, 76, allocator, values);
      return text;
    });
    attempt("tensor", [&] {
      void* allocator;
      call(k.api, 78, &allocator);
      void* value;
      call(k.api, 236, k.info, "a_tensor", allocator, &value);
      const Call c{k.api, nullptr};
      std::string text = std::to_string(c.shape(value).size()) + ":";
      for (size_t i = 0; i < c.count(value); ++i) text += std::to_string(c.data<int64_t>(value)[i]) + ";";
      slot<void>(k.api, 96, value);
      return text;
    });
    attempt("wrong_type", [&] {
      int64_t value;
      call(k.api, 86, k.info, "a_float", &value);
      return std::to_string(value);
    });
    attempt("missing", [&] {
      int64_t value;
      call(k.api, 86, k.info, "nothing", &value);
      return std::to_string(value);
    });
    attempt("constant", [&] {
      int is_constant;
      const void* value;
      call(k.api, 249, k.info, size_t(0), &is_constant, &value);
      return is_constant ? std::to_string(*Call{k.api, nullptr}.data<float>(value)) : std::string("none");
    });
    attempt("config", [&] {
      void* entries;
      call(k.api, 391, k.info, &entries);
      const char* value = slot<const char*>(k.api, 297, entries, "zoo.key");
      const std::string text = value == nullptr ? "none" : value;
      slot<void>(k.api, 300, entries);
      return text;
    });
    attempt("copied", [&] {
      void* copy;
      call(k.api, 217, k.info, &copy);
      const std::string name = Info{k.api, copy}.text(244);
      slot<void>(k.api, 218, copy);
      return name;
    });
    attempt("create_op", [&] {
      void* op;
      call(k.api, 213, k.info, "Addition", "", 14, nullptr, nullptr, 0, nullptr, 0, 2, 1, &op);
      return std::string("made");
    });
  }
  void compute(Call c) { c.fill(c.output(0, {static_cast<int64_t>(lines.size())}), lines); }
};

/// Says which inputs are there, and writes to every output that the operator declares.
struct Optionals : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    int64_t mask = 0;
    for (size_t i = 0; i < c.inputs(); ++i) mask |= (c.input(i) != nullptr) << i;
    *c.data<int64_t>(c.output(0, {})) = mask;
    *c.data<int64_t>(c.output(1, {})) = static_cast<int64_t>(c.outputs());
  }
};

struct Concatenate : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    for (size_t i = 0; i < c.outputs(); ++i) {
      const void* x = c.input(i % c.inputs());
      const float* from = c.data<float>(x);
      std::memcpy(c.data<float>(c.output(i, c.shape(x))), from, c.count(x) * sizeof(float));
    }
  }
};

struct Counts : Stateless {
  using Stateless::Stateless;
  void compute(Call c) { *c.data<int64_t>(c.output(0, {})) = static_cast<int64_t>(c.inputs()); }
};

struct Squares : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    const int64_t n = *c.data<int64_t>(c.input(0)), batches = *c.data<int64_t>(c.input(1));
    struct Work {
      int64_t* out;
      bool fails;
    } work{c.data<int64_t>(c.output(0, {n < 0 ? 1 : n})), n < 0};
    const auto step = [](void* user, size_t i) {
      auto* w = static_cast<Work*>(user);
      if (w->fails && i == 3) throw std::runtime_error("step 3 is broken");
      if (!w->fails) w->out[i] = static_cast<int64_t>(i * i);
    };
    call(c.api, 274, c.context, static_cast<void (*)(void*, size_t)>(step), size_t(n < 0 ? 10 : n), size_t(batches),
         static_cast<void*>(&work));
  }
};

struct Upper : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    std::vector<std::string> texts = c.strings(c.input(0));
    for (std::string& text : texts)
      for (char& letter : text) letter = static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 32 : letter);
    void* y = c.output(0, c.shape(c.input(0)));
    for (size_t i = 0; i < texts.size(); ++i) {
      char* buffer;
      call(c.api, 252, y, i, texts[i].size(), &buffer);
      std::memcpy(buffer, texts[i].data(), texts[i].size());
      size_t length;
      call(c.api, 127, y, i, &length);
      if (length != texts[i].size()) throw std::runtime_error("the length is another");
    }
  }
};

/// Memory, loggers and the like; the result counts what worked.
struct Services : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    int64_t passed = 0;
    void* memory_info;
    call(c.api, 69, 0, 0, &memory_info);
    const char* name;
    call(c.api, 71, memory_info, &name);
    passed += std::strcmp(name, "Cpu") == 0;
    void* allocator;
    call(c.api, 253, c.context, memory_info, &allocator);
    void* memory;
    call(c.api, 75, allocator, size_t(100), &memory);
    passed += reinterpret_cast<uintptr_t>(memory) % 64 == 0;
    call(c.api, 76, allocator, memory);
    call(c.api, 277, c.context, memory_info, size_t(1000), &memory);
    std::memset(memory, 1, 1000);
    passed += memory != nullptr;
    const void* of_tensor;
    call(c.api, 194, c.input(0), &of_tensor);
    int different = 7;
    call(c.api, 70, memory_info, of_tensor, &different);
    passed += different == 0;
    slot<void>(c.api, 94, memory_info);
    const int64_t dims[] = {2};
    void* tensor;
    call(c.api, 48, allocator, static_cast<const int64_t*>(dims), size_t(1), kInt64, &tensor);
    passed += c.data<int64_t>(tensor)[1] == 0;
    void* sequence;
    const void* items[] = {tensor, tensor};
    call(c.api, 82, static_cast<const void* const*>(items), size_t(2), 2, &sequence);
    size_t n;
    call(c.api, 81, sequence, &n);
    void* item;
    call(c.api, 80, sequence, 1, allocator, &item);
    passed += n == 2 && c.shape(item) == std::vector<int64_t>{2};
    for (void* value : {tensor, sequence, item}) slot<void>(c.api, 96, value);
    const void* logger;
    call(c.api, 246, c.context, &logger);
    call(c.api, 247, logger, 3, "the zoo is open", "zoo.cpp", 12, "compute");
    int severity;
    call(c.api, 248, logger, &severity);
    passed += severity >= 0;
    void* attribute;
    const int64_t numbers[] = {4, 5};
    call(c.api, 211, "numbers", static_cast<const void*>(numbers), 2, 2, &attribute);
    int64_t back[2];
    size_t bytes;
    call(c.api, 272, static_cast<const void*>(attribute), 2, static_cast<void*>(back), sizeof back, &bytes);
    passed += bytes == 16 && back[1] == 5;
    slot<void>(c.api, 212, attribute);
    call(c.api, 211, "text", static_cast<const void*>("lions"), 5, 5, &attribute);
    char letters[5];
    call(c.api, 272, static_cast<const void*>(attribute), 5, static_cast<void*>(letters), sizeof letters, &bytes);
    passed += bytes == 5 && std::memcmp(letters, "lions", 5) == 0;
    slot<void>(c.api, 212, attribute);
    const char* const texts[] = {"a", "bc"};
    call(c.api, 211, "texts", static_cast<const void*>(texts), 2, 6, &attribute);
    char joined[5];
    call(c.api, 272, static_cast<const void*>(attribute), 6, static_cast<void*>(joined), sizeof joined, &bytes);
    passed += bytes == 5 && std::memcmp(joined, "a\0bc\0", 5) == 0;
    slot<void>(c.api, 212, attribute);
#ifndef FOR_ONNXRUNTIME
    passed += slot<void*>(c.api, 291) == nullptr;
#endif
    *c.data<int64_t>(c.output(0, {})) = passed;
  }
};

/// Outputs: x + x, and the largest two of x, by operators of the runtime.
struct CallsOperators {
  Table api;
  void* add = nullptr;
  void* top = nullptr;
  explicit CallsOperators(Info k) : api(k.api) {
    const char* t[] = {"T", "I"};
    const int types[] = {kFloat, kInt64};
    call(api, 213, k.info, "Add", "", 14, static_cast<const char**>(t), static_cast<const int*>(types), 1, nullptr, 0,
         2, 1, &add);
    void* attributes[3];
    const int64_t axis = 0, largest = 1, sorted = 1;
    call(api, 211, "axis", static_cast<const void*>(&axis), 1, 1, &attributes[0]);
    call(api, 211, "largest", static_cast<const void*>(&largest), 1, 1, &attributes[1]);
    call(api, 211, "sorted", static_cast<const void*>(&sorted), 1, 1, &attributes[2]);
    call(api, 213, k.info, "TopK", "", 11, static_cast<const char**>(t), static_cast<const int*>(types), 2,
         static_cast<void* const*>(attributes), 3, 2, 2, &top);
    for (void* attribute : attributes) slot<void>(api, 212, attribute);
  }
  CallsOperators(CallsOperators&& other) : api(other.api), add(other.add), top(other.top) {
    other.add = other.top = nullptr;
  }
  ~CallsOperators() {
    if (add != nullptr) slot<void>(api, 215, add);
    if (top != nullptr) slot<void>(api, 215, top);
  }
  void compute(Call c) {
    const void* x = c.input(0);
    const void* pair[] = {x, x};
    void* sum[] = {c.output(0, c.shape(x))};
    call(api, 214, c.context, static_cast<const void*>(add), static_cast<const void* const*>(pair), 2,
         static_cast<void* const*>(sum), 1);
    void* allocator;
    call(api, 78, &allocator);
    const int64_t one[] = {1}, two[] = {2};
    void* k;
    call(api, 48, allocator, static_cast<const int64_t*>(one), size_t(1), kInt64, &k);
    *c.data<int64_t>(k) = 2;
    void* indices;
    call(api, 48, allocator, static_cast<const int64_t*>(two), size_t(1), kInt64, &indices);
    const void* inputs[] = {x, k};
    void* outputs[] = {c.output(1, {2}), indices};
    call(api, 214, c.context, static_cast<const void*>(top), static_cast<const void* const*>(inputs), 2,
         static_cast<void* const*>(outputs), 2);
    for (void* value : {k, indices}) slot<void>(api, 96, value);
  }
};

struct Blocks : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    const int64_t milliseconds = *c.data<int64_t>(c.input(0));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    *c.data<int64_t>(c.output(0, {})) = milliseconds;
  }
};

/// Relies on its output being its input: writes the first element only.
struct Aliased : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    const void* x = c.input(0);
    const float first = *c.data<float>(x);
    *c.data<float>(c.output(0, c.shape(x))) = first + 1;
  }
};

size_t alias_map(int** inputs, int** outputs) {
  *inputs = new int(0);
  *outputs = new int(0);
  return 1;
}

void release_map(int* inputs, int* outputs) {
  delete inputs;
  delete outputs;
}

/// Gives its inputs in the other order.
struct Reverse : Stateless {
  using Stateless::Stateless;
  void compute(Call c) {
    for (size_t i = 0; i < c.outputs(); ++i) {
      const void* x = c.input(c.inputs() - 1 - i);
      void* y = c.output(i, c.shape(x));
      size_t bytes;
      if (void* status = slot<void*>(c.api, 318, x, &bytes)) {
        slot<void>(c.api, 93, status);
        c.fill(y, c.strings(x));
      } else {
        std::memcpy(c.data<char>(y), c.data<char>(x), bytes);
      }
    }
  }
};

/// Output: the first dimension times the attribute `times` (symbols stay, unknown ones become "rows").
void* infer_repeat(const CustomOp*, void* context) {
  size_t n;
  if (void* status = slot<void*>(table, 267, context, &n)) return status;
  void* input;
  if (void* status = slot<void*>(table, 268, context, size_t(0), &input)) return status;
  size_t rank;
  call(table, 61, input, &rank);
  std::vector<int64_t> dims(rank);
  std::vector<const char*> symbols(rank);
  call(table, 62, input, dims.data(), rank);
  call(table, 63, input, symbols.data(), rank);
  if (rank == 0) throw std::runtime_error("Repeat takes no scalars");
  const void* attribute;
  call(table, 269, context, "times", &attribute);
  int64_t times;
  size_t bytes;
  call(table, 272, attribute, 1, static_cast<void*>(&times), sizeof times, &bytes);
  dims[0] = dims[0] < 0 ? -1 : dims[0] * times;
  if (dims[0] < 0) symbols[0] = "rows";
  void* made;
  call(table, 57, &made);
  call(table, 58, made, kFloat);
  call(table, 59, made, dims.data(), rank);
  call(table, 271, made, symbols.data(), rank);
  call(table, 270, context, size_t(0), static_cast<const void*>(made));
  slot<void>(table, 99, made);
  return nullptr;
}

struct Repeat {
  int64_t times;
  explicit Repeat(Info k) { call(k.api, 86, k.info, "times", &times); }
  void compute(Call c) {
    const void* x = c.input(0);
    std::vector<int64_t> dims = c.shape(x);
    dims[0] *= times;
    float* to = c.data<float>(c.output(0, dims));
    for (int64_t i = 0; i < times; ++i) std::memcpy(to + i * c.count(x), c.data<float>(x), c.count(x) * sizeof(float));
  }
};

template <int Number>
struct Says : Stateless {
  using Stateless::Stateless;
  void compute(Call c) { *c.data<int64_t>(c.output(0, {})) = Number; }
};

Declared* with_versions(Declared* op, int first, int last) {
  op->first_version = first;
  op->last_version = last;
  return op;
}

}  // namespace

extern "C" void* RegisterCustomOps(void* options, const ApiBase* base) {
  table = base->get_api(31);
  std::vector<Declared*> ops;
#ifndef FOR_ONNXRUNTIME  // whose release 1.31 calls what version 1 did not have
  ops.push_back(make<AddOne>(1, "AddOne1", {{kFloat}}, {{kFloat}}));
#endif
  ops.push_back(make<AddOne>(11, "AddOne11", {{kFloat}}, {{kFloat}}));
  ops.push_back(make<AddOne>(17, "AddOne17", {{kFloat}}, {{kFloat}}));
  ops.push_back(make<AddOne>(31, "AddOne31", {{kFloat}}, {{kFloat}}));
  ops.push_back(make<Identity>(17, "Identity", {{kAny}}, {{kAny}, {kInt64}}));
  ops.push_back(make<Throws>(10, "Throws1", {{kInt64}}, {{kFloat}}));
  ops.push_back(make<Throws>(17, "Throws2", {{kInt64}}, {{kFloat}}));
  ops.push_back(make<FailsToStart>(10, "FailsToStart1", {}, {{kFloat}}));
  ops.push_back(make<FailsToStart>(17, "FailsToStart2", {}, {{kFloat}}));
  ops.push_back(make<Zeros>(17, "Zeros", {}, {{kFloat}}));
  ops.push_back(make<Describe>(31, "Describe", {{kFloat}, {kFloat, kOptional}}, {{kString}, {kString, kOptional}}));
  ops.push_back(make<Optionals>(17, "Optionals", {{kFloat}, {kFloat, kOptional}, {kFloat, kOptional}},
                                {{kInt64}, {kInt64, kOptional}}));
  Declared* concatenate = make<Concatenate>(17, "Concatenate", {{kFloat, kVariadic}}, {{kFloat, kVariadic}});
  concatenate->minimum = 2;
  ops.push_back(concatenate);
  ops.push_back(make<Counts>(17, "CountAlike", {{kAny, kVariadic}}, {{kInt64}}));
  Declared* counts = make<Counts>(17, "Count", {{kFloat}, {kAny, kVariadic}}, {{kInt64}});
  counts->minimum = counts->homogeneous = 0;
  ops.push_back(counts);
  Declared* aliased = make<Aliased>(18, "Aliased", {{kFloat}}, {{kFloat}});
  aliased->alias = alias_map;
  aliased->release_alias = release_map;
  ops.push_back(aliased);
  Declared* reverse = make<Reverse>(17, "Reverse", {{kAny, kVariadic}}, {{kAny, kVariadic}});
  reverse->homogeneous = 0;
  ops.push_back(reverse);
  ops.push_back(make<Squares>(17, "Squares", {{kInt64}, {kInt64}}, {{kInt64}}));
  ops.push_back(make<Upper>(17, "Upper", {{kString}}, {{kString}}));
  ops.push_back(make<Services>(31, "Services", {{kFloat}}, {{kInt64}}));
  ops.push_back(make<CallsOperators>(17, "CallsOperators", {{kFloat}}, {{kFloat}, {kFloat}}));
  ops.push_back(make<Blocks>(17, "Blocks", {{kInt64}}, {{kInt64}}));
  Declared* repeat = make<Repeat>(17, "Repeat", {{kFloat}}, {{kFloat}});
  repeat->infer = infer_repeat;
  ops.push_back(repeat);
  ops.push_back(make<Says<1>>(17, "Overloaded", {{kFloat}}, {{kInt64}}));
  ops.push_back(make<Says<2>>(17, "Overloaded", {{kInt64}}, {{kInt64}}));
#ifndef FOR_ONNXRUNTIME  // which wants the same number of inputs of all
  ops.push_back(make<Says<3>>(17, "Overloaded", {{kFloat}, {kFloat}}, {{kInt64}}));
#endif
  ops.push_back(with_versions(make<Says<4>>(17, "Versioned", {{kFloat}}, {{kInt64}}), 1, 1));
  ops.push_back(with_versions(make<Says<5>>(17, "Versioned", {{kFloat}}, {{kInt64}}), 2, INT32_MAX));
  Declared* on_device = make<Says<6>>(17, "OnDevice", {{kFloat}}, {{kInt64}});
  on_device->ep = "CUDAExecutionProvider";
  ops.push_back(on_device);
  return add(options, table, "zoo", ops);
}
