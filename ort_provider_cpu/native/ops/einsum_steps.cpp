#include "ops/einsum_steps.h"

#include <algorithm>
#include <optional>

namespace ort_cpu {

namespace {

using Group = std::vector<int>;  // labels

bool contains(const Group& group, int label) { return std::find(group.begin(), group.end(), label) != group.end(); }

Group joined(const Group& a, const Group& b) {
  Group both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

/// A tensor, its dimensions larger than 1 named by labels.
struct Term {
  EinsumPlace place;
  Group labels;
  std::vector<int64_t> strides;

  int64_t stride(int label) const {
    const auto found = std::find(labels.begin(), labels.end(), label);
    return found == labels.end() ? 0 : strides[static_cast<size_t>(found - labels.begin())];
  }
};

class Lowering {
 public:
  Lowering(const EinsumEquation& equation, const std::vector<Shape>& shapes, size_t element_bytes, bool is_float32,
           int threads, EinsumSteps& out)
      : equation_(equation), element_bytes_(element_bytes), is_float32_(is_float32), threads_(threads), out_(out) {
    for (int label : equation.output)
      if (size_of(label) > 1) output_.push_back(label);
    for (size_t i = 0; i < shapes.size(); ++i) terms_.push_back(input_term(static_cast<int>(i), shapes[i]));
  }

  void lower() {
    while (terms_.size() > 1) contract_cheapest();
    Term last = sum_out(terms_[0], output_);
    const bool written_by_step = last.place.input == EinsumPlace::kScratch && last.labels == output_;
    if (written_by_step) out_.steps.back().to = {EinsumPlace::kOutput, 0};
    else add_copy(last, output_, {EinsumPlace::kOutput, 0});
  }

 private:
  int64_t size_of(int label) const { return equation_.sizes[static_cast<size_t>(label)]; }

  int64_t size_of(const Group& group) const {
    int64_t size = 1;
    for (int label : group)
      require(!__builtin_mul_overflow(size, size_of(label), &size), "an intermediate product would be too large");
    return size;
  }

  /// Repeated labels make a diagonal: their strides add up.
  Term input_term(int i, const Shape& shape) const {
    Term term{{i, 0}, {}, {}};
    const auto strides = strides_of(shape);
    const Group& labels = equation_.inputs[static_cast<size_t>(i)];
    for (size_t d = 0; d < labels.size(); ++d) {
      if (shape[static_cast<int>(d)] == 1) continue;
      const auto found = std::find(term.labels.begin(), term.labels.end(), labels[d]);
      if (found != term.labels.end()) {
        term.strides[static_cast<size_t>(found - term.labels.begin())] += strides[d];
      } else {
        term.labels.push_back(labels[d]);
        term.strides.push_back(strides[d]);
      }
    }
    return term;
  }

  Term new_term(const Group& labels) {
    Term term{{EinsumPlace::kScratch, out_.scratch_elements}, labels, std::vector<int64_t>(labels.size())};
    int64_t stride = 1;
    for (size_t i = labels.size(); i-- > 0;) {
      term.strides[i] = stride;
      stride *= size_of(labels[i]);
    }
    const int64_t elements = (size_of(labels) + 15) / 16 * 16;
    require(!__builtin_add_overflow(out_.scratch_elements, elements, &out_.scratch_elements),
            "the intermediate results would be too large");
    return term;
  }

  void add_copy(const Term& from, const Group& order, const EinsumPlace& to) {
    std::vector<int64_t> dims, from_strides, to_strides(order.size());
    for (int label : order) {
      dims.push_back(size_of(label));
      from_strides.push_back(from.stride(label));
    }
    int64_t stride = 1;
    for (size_t i = order.size(); i-- > 0;) {
      to_strides[i] = stride;
      stride *= dims[i];
    }
    out_.steps.push_back({.kind = EinsumStep::Kind::copy,
                          .a = from.place,
                          .b = {},
                          .to = to,
                          .copy = StridedCopy(element_bytes_, dims, from_strides, to_strides)});
  }

  Term copied(const Term& from, const Group& order) {
    Term to = new_term(order);
    add_copy(from, order, to.place);
    return to;
  }

  /// The one stride by which the labels of a group, as one dimension, are walked; nullopt if there is none.
  std::optional<int64_t> collapsed(const Term& term, const Group& group) const {
    for (size_t i = 0; i + 1 < group.size(); ++i)
      if (term.stride(group[i]) != term.stride(group[i + 1]) * size_of(group[i + 1])) return std::nullopt;
    return group.empty() ? 0 : term.stride(group.back());
  }

  /// The term summed over the labels that are not in `kept`.
  Term sum_out(const Term& term, const Group& kept) {
    Group stay, go;
    for (int label : term.labels) (contains(kept, label) ? stay : go).push_back(label);
    if (go.empty()) return term;
    const int64_t columns = size_of(go);
    const auto row_stride = collapsed(term, stay), column_stride = collapsed(term, go);
    const bool in_place = column_stride == 1 && (stay.empty() || row_stride == columns);
    const Term from = in_place ? term : copied(term, joined(stay, go));
    const Term sums = new_term(stay);
    out_.steps.push_back({.kind = EinsumStep::Kind::sum,
                          .a = from.place,
                          .b = {},
                          .to = sums.place,
                          .rows = size_of(stay),
                          .columns = columns});
    return sums;
  }

  /// The labels that the output or a term other than `a` and `b` has.
  Group needed_without(size_t a, size_t b) const {
    Group needed = output_;
    for (size_t i = 0; i < terms_.size(); ++i)
      if (i != a && i != b) needed = joined(needed, terms_[i].labels);
    return needed;
  }

  void contract_cheapest() {
    size_t best_a = 0, best_b = 1;
    double least = -1;
    for (size_t a = 0; a < terms_.size(); ++a) {
      for (size_t b = a + 1; b < terms_.size(); ++b) {
        const Group needed = needed_without(a, b);
        double size = 1;
        for (int label = 0; label < static_cast<int>(equation_.sizes.size()); ++label)
          if (contains(needed, label) && (contains(terms_[a].labels, label) || contains(terms_[b].labels, label)))
            size *= static_cast<double>(size_of(label));
        if (least < 0 || size < least) least = size, best_a = a, best_b = b;
      }
    }
    const Group needed = needed_without(best_a, best_b);
    const Term a = sum_out(terms_[best_a], joined(needed, terms_[best_b].labels));
    const Term b = sum_out(terms_[best_b], joined(needed, a.labels));
    terms_.erase(terms_.begin() + static_cast<int64_t>(best_b));
    terms_[best_a] = product(a, b, needed);
  }

  /// Labels in the order of the output, those that it lacks first.
  Group in_output_order(Group group) const {
    std::stable_sort(group.begin(), group.end(), [&](int x, int y) { return position(x) < position(y); });
    return group;
  }
  int64_t position(int label) const {
    const auto found = std::find(output_.begin(), output_.end(), label);
    return found == output_.end() ? -1 : found - output_.begin();
  }

  Term product(const Term& a, const Term& b, const Group& needed) {
    Group batch, summed, rows, columns;
    for (int label : a.labels) {
      const bool shared = contains(b.labels, label);
      (!shared ? rows : contains(needed, label) ? batch : summed).push_back(label);
    }
    for (int label : b.labels)
      if (!contains(a.labels, label)) columns.push_back(label);
    batch = in_output_order(batch);
    rows = in_output_order(rows);
    columns = in_output_order(columns);
    if (summed.empty()) return multiplied(a, b, in_output_order(joined(batch, joined(rows, columns))));
    const bool columns_first = !rows.empty() && !columns.empty() && position(columns[0]) < position(rows[0]);
    return columns_first ? matmul(b, a, batch, columns, summed, rows) : matmul(a, b, batch, rows, summed, columns);
  }

  Term multiplied(const Term& a, const Term& b, const Group& labels) {
    const Term to = new_term(labels);
    EinsumStep step{.kind = EinsumStep::Kind::multiply, .a = a.place, .b = b.place, .to = to.place};
    for (int label : labels) {
      step.dims.push_back(size_of(label));
      step.a_strides.push_back(a.stride(label));
      step.b_strides.push_back(b.stride(label));
    }
    out_.steps.push_back(std::move(step));
    return to;
  }

  /// Whether a matrix [rows, columns] of such strides can be multiplied where it is: of float32, only without gaps.
  bool is_usable(std::optional<int64_t> batch, std::optional<int64_t> row, std::optional<int64_t> column, int64_t rows,
                 int64_t columns) const {
    if (!batch || !row || !column) return false;
    if (!is_float32_) return true;
    return (*column == 1 || columns == 1) ? (*row == columns || rows == 1)
                                          : *column == rows && (*row == 1 || rows == 1);
  }

  Term matmul(Term a, Term b, const Group& batch, const Group& rows, Group summed, const Group& columns) {
    std::stable_sort(summed.begin(), summed.end(), [&](int x, int y) { return b.stride(x) > b.stride(y); });
    const int64_t m = size_of(rows), n = size_of(columns), k = size_of(summed);
    if (!is_usable(collapsed(a, batch), collapsed(a, rows), collapsed(a, summed), m, k))
      a = copied(a, joined(batch, joined(rows, summed)));
    if (!is_usable(collapsed(b, batch), collapsed(b, summed), collapsed(b, columns), k, n))
      b = copied(b, joined(batch, joined(summed, columns)));
    const Term to = new_term(joined(batch, joined(rows, columns)));
    EinsumStep step{.kind = EinsumStep::Kind::matmul, .a = a.place, .b = b.place, .to = to.place};
    step.batch = size_of(batch);
    step.m = m;
    step.n = n;
    step.k = k;
    step.a_batch = *collapsed(a, batch);
    step.a_row = *collapsed(a, rows);
    step.a_column = *collapsed(a, summed);
    step.b_batch = *collapsed(b, batch);
    step.b_row = *collapsed(b, summed);
    step.b_column = *collapsed(b, columns);
    if (is_float32_) {
      step.product = BatchedProduct({.batch = step.batch,
                                     .m = m,
                                     .n = n,
                                     .k = k,
                                     .transpose_a = m > 1 && step.a_column != 1,
                                     .layout = n > 1 && step.b_column != 1 ? MatrixLayout::columns : MatrixLayout::rows,
                                     .a_step = step.a_batch,
                                     .b_step = step.b_batch},
                                    threads_);
      out_.product_scratch_floats = std::max(out_.product_scratch_floats, step.product.scratch_floats());
    }
    out_.steps.push_back(std::move(step));
    return to;
  }

  const EinsumEquation& equation_;
  const size_t element_bytes_;
  const bool is_float32_;
  const int threads_;
  EinsumSteps& out_;
  Group output_;  // its labels of sizes above 1
  std::vector<Term> terms_;
};

}  // namespace

EinsumSteps::EinsumSteps(const EinsumEquation& equation, const std::vector<Shape>& shapes, size_t element_bytes,
                         bool is_float32, int threads) {
  is_zero = std::find(equation.sizes.begin(), equation.sizes.end(), 0) != equation.sizes.end();
  if (!is_zero) Lowering(equation, shapes, element_bytes, is_float32, threads, *this).lower();
}

}  // namespace ort_cpu
