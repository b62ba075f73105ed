// Objects of ours in calls of another runtime.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "host/handle.h"

namespace ort_ops {

struct MemoryInfo;
struct TensorInfo;
struct Domain;

template <class T>
constexpr bool is_handle_pointer =
    std::is_pointer_v<T> && std::is_base_of_v<Handle, std::remove_cv_t<std::remove_pointer_t<T>>>;

/// Whether an argument is an object of another runtime.
template <class T>
bool is_foreign(T argument) {
  if constexpr (is_handle_pointer<T>) return argument != nullptr && argument->magic != kMagic;
  return false;
}

/// What the other runtime gets for an argument: its own object in the place of ours where there can be one.
template <class T>
class Translated {
 public:
  explicit Translated(T argument) : argument_(argument) {}
  T get() const { return argument_; }

 private:
  T argument_;
};

/// Memory is that of the host, whatever the object says.
template <>
class Translated<const MemoryInfo*> {
 public:
  explicit Translated(const MemoryInfo* ours);
  const MemoryInfo* get() const { return theirs_; }

 private:
  const MemoryInfo* theirs_;
};

/// A copy that ends with the call.
template <>
class Translated<const TensorInfo*> {
 public:
  explicit Translated(const TensorInfo* ours);
  ~Translated();
  Translated(const Translated&) = delete;
  Translated& operator=(const Translated&) = delete;
  const TensorInfo* get() const { return theirs_ == nullptr ? ours_ : theirs_; }

 private:
  const TensorInfo* ours_;
  TensorInfo* theirs_ = nullptr;
};

/// Attributes and values that stand in arrays: those of ours are made again in the other runtime, values over the same
/// memory, and released with this object. Throws `Error` for what cannot be: attributes that are tensors, strings.
template <class T>
class TranslatedArray {
 public:
  TranslatedArray(T* const* objects, int32_t count);
  ~TranslatedArray();
  TranslatedArray(const TranslatedArray&) = delete;
  TranslatedArray& operator=(const TranslatedArray&) = delete;
  T* const* data() const { return objects_.data(); }

 private:
  void release();
  std::vector<T*> objects_, made_;
};

/// A domain with the operators that ours has by now; kept for ever, like ours.
template <>
class Translated<Domain*> {
 public:
  explicit Translated(Domain* ours);
  Domain* get() const { return theirs_; }

 private:
  Domain* theirs_;
};

}  // namespace ort_ops
