// Unique.
#include <numeric>

#include "engine/registry.h"
#include "ops/topk_key.h"
#include "ops/transpose_copy.h"

namespace ort_cpu {
namespace {

/// Positions in order of their values, those of equal values side by side and ascending, with the start of each group.
struct Groups {
  std::vector<int64_t> order;
  std::vector<int64_t> starts;

  int64_t count() const { return static_cast<int64_t>(starts.size()); }
  int64_t first(int64_t group) const { return order[static_cast<size_t>(starts[static_cast<size_t>(group)])]; }
  int64_t end(int64_t group) const {
    return group + 1 < count() ? starts[static_cast<size_t>(group) + 1] : static_cast<int64_t>(order.size());
  }
};

template <class Key>
struct KeyedIndex {
  Key key;
  int64_t index;
};

/// Sorts by key, leaving the order of equal keys; bytes that all keys share cost one look.
template <class Key>
void sort_by_key(std::vector<KeyedIndex<Key>>& entries) {
  std::vector<KeyedIndex<Key>> other(entries.size());
  for (size_t shift = 0; shift < 8 * sizeof(Key); shift += 8) {
    const auto digit = [shift](const KeyedIndex<Key>& entry) { return static_cast<size_t>(entry.key >> shift & 0xff); };
    std::array<size_t, 256> starts{};
    for (const auto& entry : entries) ++starts[digit(entry)];
    if (!entries.empty() && starts[digit(entries[0])] == entries.size()) continue;
    for (size_t total = 0; size_t& start : starts) {
      const size_t count = start;
      start = total;
      total += count;
    }
    for (const auto& entry : entries) other[starts[digit(entry)]++] = entry;
    entries.swap(other);
  }
}

template <class T>
Groups group_elements(std::span<const T> x) {
  std::vector<KeyedIndex<order_key_t<T>>> entries(x.size());
  for (size_t i = 0; i < x.size(); ++i) entries[i] = {order_key(x[i]), static_cast<int64_t>(i)};
  sort_by_key(entries);
  Groups groups;
  groups.order.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i == 0 || entries[i].key != entries[i - 1].key) groups.starts.push_back(static_cast<int64_t>(i));
    groups.order.push_back(entries[i].index);
  }
  return groups;
}

/// Slices along the middle axis of [outer, size, inner], compared element by element; slices with NaN equal none.
template <class T>
Groups group_slices(const T* x, int64_t outer, int64_t size, int64_t inner) {
  const auto compare = [&](int64_t a, int64_t b, auto&& differ) {
    for (int64_t o = 0; o < outer; ++o) {
      const T *p = x + (o * size + a) * inner, *q = x + (o * size + b) * inner;
      for (int64_t i = 0; i < inner; ++i)
        if (const int result = differ(p[i], q[i]); result != 0) return result;
    }
    return 0;
  };
  const auto by_key = [](T a, T b) {
    const auto p = order_key(a), q = order_key(b);
    return p < q ? -1 : p > q ? 1 : 0;
  };
  const auto by_value = [](T a, T b) { return static_cast<compute_t<T>>(a) == static_cast<compute_t<T>>(b) ? 0 : 1; };
  Groups groups;
  groups.order.resize(static_cast<size_t>(size));
  std::iota(groups.order.begin(), groups.order.end(), int64_t{0});
  std::stable_sort(groups.order.begin(), groups.order.end(),
                   [&](int64_t a, int64_t b) { return compare(a, b, by_key) < 0; });
  for (size_t i = 0; i < groups.order.size(); ++i)
    if (i == 0 || compare(groups.order[i - 1], groups.order[i], by_value) != 0)
      groups.starts.push_back(static_cast<int64_t>(i));
  return groups;
}

/// Y = the distinct elements of X, or slices along `axis`; indices [count] where each is first, inverse_indices which
/// of Y each of X is, counts [count] how often. Sorted, or in order of the first occurrence.
class Unique : public Kernel {
 public:
  explicit Unique(const NodeSpec& node)
      : has_axis_(node.attributes.has("axis")),
        axis_(node.attributes.integer("axis", 0)),
        is_sorted_(node.attributes.integer("sorted", 1) != 0) {}

  void plan(PlanContext& ctx) const override {
    if (has_axis_) normalize_axis(axis_, ctx.shape(0).rank());
    ctx.output_of_unknown_shape(0, ctx.dtype(0));
    for (int i = 1; i < 4; ++i) ctx.output_of_unknown_shape(i, DType::i64);
  }

  void run(RunContext& ctx) const override {
    const Tensor& x = ctx.input(0);
    const Shape& shape = x.shape;
    const bool by_slice = has_axis_ && shape.rank() > 1;
    const int axis = by_slice ? normalize_axis(axis_, shape.rank()) : 0;
    const int64_t outer = by_slice ? shape.size_to(axis) : 1, size = by_slice ? shape[axis] : shape.size();
    const int64_t inner = by_slice ? shape.size_from(axis + 1) : 1;
    const auto group = [&]<class T>() {
      return by_slice ? group_slices(x.as<const T>(), outer, size, inner) : group_elements(x.elements<const T>());
    };
    const Groups groups =
        x.dtype == DType::boolean ? group.template operator()<uint8_t>() : dispatch_number(x.dtype, group);

    std::vector<int64_t> sequence(static_cast<size_t>(groups.count()));
    std::iota(sequence.begin(), sequence.end(), int64_t{0});
    if (!is_sorted_)
      std::sort(sequence.begin(), sequence.end(),
                [&](int64_t a, int64_t b) { return groups.first(a) < groups.first(b); });

    if (ctx.wants(0)) {
      Shape out = by_slice ? shape : Shape{0};
      out[axis] = groups.count();
      const Tensor& y = ctx.allocate(0, x.dtype, out);
      const size_t bytes = static_cast<size_t>(inner) * size_of(x.dtype);
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < groups.count() && bytes > 0; ++i)
          std::copy_n(x.as<const char>() +
                          static_cast<size_t>(o * size + groups.first(sequence[static_cast<size_t>(i)])) * bytes,
                      bytes, y.as<char>() + static_cast<size_t>(o * groups.count() + i) * bytes);
    }
    if (ctx.wants(1) || ctx.wants(2) || ctx.wants(3)) write_indices(ctx, groups, sequence, size);
  }

 private:
  static void write_indices(RunContext& ctx, const Groups& groups, const std::vector<int64_t>& sequence, int64_t size) {
    const auto output = [&](int i, int64_t count) {
      return ctx.wants(i) ? ctx.allocate(i, DType::i64, {count}).as<int64_t>() : nullptr;
    };
    int64_t *indices = output(1, groups.count()), *inverse = output(2, size), *counts = output(3, groups.count());
    for (size_t i = 0; i < sequence.size(); ++i) {
      const int64_t group = sequence[i], begin = groups.starts[static_cast<size_t>(group)], end = groups.end(group);
      if (indices != nullptr) indices[i] = groups.first(group);
      if (counts != nullptr) counts[i] = end - begin;
      for (int64_t k = begin; k < end && inverse != nullptr; ++k)
        inverse[groups.order[static_cast<size_t>(k)]] = static_cast<int64_t>(i);
    }
  }

  const bool has_axis_;
  const int64_t axis_;
  const bool is_sorted_;
};

const Registration registration{{.op = "Unique", .inputs = {kNumbers | kBool}, .make = make_kernel<Unique>}};

}  // namespace
}  // namespace ort_cpu
