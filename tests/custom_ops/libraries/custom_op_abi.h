// The part of ONNX Runtime's C ABI that the libraries of these tests use: slots by number, operators by their
// callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

using Table = void* const*;
struct ApiBase {
  Table (*get_api)(uint32_t);
  const char* (*version)();
};

template <class R, class... A>
R slot(Table api, int number, A... arguments) {
  return reinterpret_cast<R (*)(A...)>(api[number])(arguments...);
}

/// Calls a slot that returns a status and throws its message.
template <class... A>
void call(Table api, int number, A... arguments) {
  if (void* status = slot<void*>(api, number, arguments...)) {
    std::string message = slot<const char*>(api, 2, status);
    slot<void>(api, 93, status);
    throw std::runtime_error(message);
  }
}

constexpr int kFloat = 1, kInt64 = 7, kString = 8, kAny = 0;
constexpr int kRequired = 0, kOptional = 1, kVariadic = 2;

struct CustomOp {
  uint32_t version;
  void* (*create)(const CustomOp*, Table, const void* info);
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);
  int (*input_type)(const CustomOp*, size_t);
  size_t (*input_count)(const CustomOp*);
  int (*output_type)(const CustomOp*, size_t);
  size_t (*output_count)(const CustomOp*);
  void (*compute)(void*, void* context);
  void (*destroy)(void*);
  int (*input_arity)(const CustomOp*, size_t);
  int (*output_arity)(const CustomOp*, size_t);
  int (*input_memory)(const CustomOp*, size_t);
  int (*input_minimum)(const CustomOp*);
  int (*input_homogeneous)(const CustomOp*);
  int (*output_minimum)(const CustomOp*);
  int (*output_homogeneous)(const CustomOp*);
  void* (*create_v2)(const CustomOp*, Table, const void* info, void** kernel);
  void* (*compute_v2)(void*, void* context);
  void* (*infer)(const CustomOp*, void* context);
  int (*start)(const CustomOp*);
  int (*end)(const CustomOp*);
  size_t (*inplace)(int**, int**);
  void (*release_inplace)(int*, int*);
  size_t (*alias)(int**, int**);
  void (*release_alias)(int*, int*);
};

/// What a kernel of these libraries works with.
struct Call {
  Table api;
  void* context;

  size_t inputs() const {
    size_t n;
    call(api, 88, context, &n);
    return n;
  }
  size_t outputs() const {
    size_t n;
    call(api, 89, context, &n);
    return n;
  }
  const void* input(size_t i) const {
    const void* value = nullptr;
    call(api, 90, context, i, &value);
    return value;
  }
  std::vector<int64_t> shape(const void* value) const {
    void* info;
    call(api, 65, value, &info);
    size_t rank;
    call(api, 61, info, &rank);
    std::vector<int64_t> dims(rank);
    call(api, 62, info, dims.data(), rank);
    slot<void>(api, 99, info);
    return dims;
  }
  size_t count(const void* value) const {
    size_t n = 1;
    for (int64_t dim : shape(value)) n *= dim;
    return n;
  }
  template <class T>
  T* data(const void* value) const {
    void* memory;
    call(api, 51, value, &memory);
    return static_cast<T*>(memory);
  }
  void* output(size_t i, const std::vector<int64_t>& dims) const {
    void* value = nullptr;
    call(api, 91, context, i, dims.data(), dims.size(), &value);
    return value;
  }
  std::vector<std::string> strings(const void* value) const {
    const size_t n = count(value);
    size_t bytes;
    call(api, 53, value, &bytes);
    std::string content(bytes, ' ');
    std::vector<size_t> offsets(n + 1, bytes);
    call(api, 54, value, static_cast<void*>(content.data()), bytes, offsets.data(), n);
    std::vector<std::string> found;
    for (size_t i = 0; i < n; ++i) found.push_back(content.substr(offsets[i], offsets[i + 1] - offsets[i]));
    return found;
  }
  void fill(void* value, const std::vector<std::string>& texts) const {
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    call(api, 52, value, pointers.data(), pointers.size());
  }
};

struct Info {
  Table api;
  const void* info;

  std::string text(int number, auto... before) const {
    size_t size = 0;
    call(api, number, info, before..., static_cast<char*>(nullptr), &size);
    std::string found(size, ' ');
    call(api, number, info, before..., found.data(), &size);
    return found.c_str();
  }
};

/// One operator. `Kernel` has a constructor from `Info` and `void compute(Call)`; ports are lists of type and arity.
struct Port {
  int type, arity = kRequired;
};

struct Declared : CustomOp {
  const char* op_name;
  std::vector<Port> ins, outs;
  int minimum = 1, homogeneous = 1, first_version = 1, last_version = INT32_MAX;
  const char* ep = nullptr;
};

inline const Declared* self(const CustomOp* op) { return static_cast<const Declared*>(op); }

template <class Kernel>
struct Held {
  Table api;
  Kernel kernel;
};

inline void* to_status(Table api, const std::exception& error) { return slot<void*>(api, 0, 9, error.what()); }

/// Which callbacks an operator has: those of version 1 throw, those of version 2 return statuses.
template <class Kernel>
Declared* make(uint32_t version, const char* name, std::vector<Port> ins, std::vector<Port> outs) {
  auto* op = new Declared();
  std::memset(static_cast<CustomOp*>(op), version < 16 ? 0xCC : 0, sizeof(CustomOp));
  op->version = version;
  op->op_name = name;
  op->ins = std::move(ins);
  op->outs = std::move(outs);
  op->name = [](const CustomOp* o) { return self(o)->op_name; };
  op->provider = [](const CustomOp* o) { return self(o)->ep; };
  op->input_type = [](const CustomOp* o, size_t i) { return self(o)->ins[i].type; };
  op->input_count = [](const CustomOp* o) { return self(o)->ins.size(); };
  op->output_type = [](const CustomOp* o, size_t i) { return self(o)->outs[i].type; };
  op->output_count = [](const CustomOp* o) { return self(o)->outs.size(); };
  op->destroy = [](void* kernel) { delete static_cast<Held<Kernel>*>(kernel); };
  op->create = [](const CustomOp*, Table api, const void* info) -> void* {
    return new Held<Kernel>{api, Kernel(Info{api, info})};
  };
  op->compute = [](void* kernel, void* context) {
    auto* held = static_cast<Held<Kernel>*>(kernel);
    held->kernel.compute(Call{held->api, context});
  };
  if (version >= 8) {
    op->input_arity = [](const CustomOp* o, size_t i) { return self(o)->ins[i].arity; };
    op->output_arity = [](const CustomOp* o, size_t i) { return self(o)->outs[i].arity; };
  }
  if (version >= 13) op->input_memory = [](const CustomOp*, size_t) { return 0; };
  if (version >= 14) {
    op->input_minimum = op->output_minimum = [](const CustomOp* o) { return self(o)->minimum; };
    op->input_homogeneous = op->output_homogeneous = [](const CustomOp* o) { return self(o)->homogeneous; };
  }
  if (version >= 16) {
    op->create_v2 = [](const CustomOp*, Table api, const void* info, void** kernel) -> void* {
      try {
        *kernel = new Held<Kernel>{api, Kernel(Info{api, info})};
        return nullptr;
      } catch (const std::exception& error) {
        return to_status(api, error);
      }
    };
    op->compute_v2 = [](void* kernel, void* context) -> void* {
      auto* held = static_cast<Held<Kernel>*>(kernel);
      try {
        held->kernel.compute(Call{held->api, context});
        return nullptr;
      } catch (const std::exception& error) {
        return to_status(held->api, error);
      }
    };
  }
  if (version >= 17) {
    op->start = [](const CustomOp* o) { return self(o)->first_version; };
    op->end = [](const CustomOp* o) { return self(o)->last_version; };
  }
  return op;
}

/// Registers operators of one domain.
inline void* add(void* options, Table api, const char* domain, const std::vector<Declared*>& ops) {
  void* made = nullptr;
  if (void* status = slot<void*>(api, 26, domain, &made)) return status;
  for (Declared* op : ops)
    if (void* status = slot<void*>(api, 27, made, static_cast<CustomOp*>(op))) return status;
  return slot<void*>(api, 28, options, made);
}
