#include "ops/einsum_equation.h"

#include <algorithm>
#include <map>
#include <optional>

namespace ort_cpu {

namespace {

constexpr char kEllipsis = '.';

/// The letters of a term, with one '.' for its ellipsis.
std::string letters_of(const std::string& term, const std::string& text) {
  std::string letters;
  for (size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    if (c == '.') {
      require(term.compare(i, 3, "...") == 0 && letters.find(kEllipsis) == std::string::npos, "the term '", term,
              "' of the equation '", text, "' has dots that are no single ellipsis");
      letters += kEllipsis;
      i += 2;
      continue;
    }
    require((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), "the term '", term, "' of the equation '", text,
            "' has something else than letters");
    letters += c;
  }
  return letters;
}

std::vector<std::string> split_terms(const std::string& left, const std::string& text) {
  std::vector<std::string> terms;
  for (size_t begin = 0;;) {
    const size_t end = std::min(left.find(',', begin), left.size());
    terms.push_back(letters_of(left.substr(begin, end - begin), text));
    if (end == left.size()) return terms;
    begin = end + 1;
  }
}

/// Numbers labels in the order of their first use.
class Labels {
 public:
  int of(char letter) { return numbers_.try_emplace(letter, count()).first->second; }
  int of_hidden(int i) { return of(static_cast<char>(i + 1)); }
  bool has(char letter) const { return numbers_.contains(letter); }
  int count() const { return static_cast<int>(numbers_.size()); }

  /// The labels of a term whose ellipsis stands for `hidden` dimensions.
  std::vector<int> of_term(const std::string& letters, int hidden) {
    std::vector<int> labels;
    for (char c : letters) {
      if (c != kEllipsis) labels.push_back(of(c));
      for (int i = 0; c == kEllipsis && i < hidden; ++i) labels.push_back(of_hidden(i));
    }
    return labels;
  }

 private:
  std::map<char, int> numbers_;  // small numbers stand for the dimensions of the ellipsis
};

/// How many dimensions the ellipsis stands for, the same in every term that has one.
int count_hidden(const std::vector<std::string>& terms, const std::vector<Shape>& shapes, const std::string& text) {
  std::optional<int> hidden;
  for (size_t i = 0; i < terms.size(); ++i) {
    const bool has_ellipsis = terms[i].find(kEllipsis) != std::string::npos;
    const int named = static_cast<int>(terms[i].size()) - has_ellipsis, rest = shapes[i].rank() - named;
    require(has_ellipsis ? rest >= 0 : rest == 0, "term ", i, " of the equation '", text, "' does not fit the shape ",
            shapes[i]);
    if (!has_ellipsis) continue;
    require(!hidden || *hidden == rest, "the ellipses of the equation '", text,
            "' stand for different numbers of dimensions");
    hidden = rest;
  }
  return hidden.value_or(0);
}

}  // namespace

EinsumEquation::EinsumEquation(const std::string& given, const std::vector<Shape>& shapes) {
  std::string text = given;
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  const std::vector<std::string> terms = split_terms(text.substr(0, std::min(arrow, text.size())), given);
  require(terms.size() == shapes.size(), "the equation '", given, "' has ", terms.size(), " terms for ", shapes.size(),
          " inputs");
  const int hidden = count_hidden(terms, shapes, given);

  Labels labels;
  std::map<char, int> uses;
  for (const std::string& term : terms) {
    inputs.push_back(labels.of_term(term, hidden));
    for (char c : term) ++uses[c];
  }
  const int known = labels.count();
  if (arrow == std::string::npos) {
    for (int i = 0; i < hidden; ++i) output.push_back(labels.of_hidden(i));
    for (const auto& [letter, count] : uses)
      if (letter != kEllipsis && count == 1) output.push_back(labels.of(letter));
  } else {
    output = labels.of_term(letters_of(text.substr(arrow + 2), given), hidden);
    std::vector<int> sorted = output;
    std::sort(sorted.begin(), sorted.end());
    require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() && labels.count() == known,
            "the output of the equation '", given, "' repeats a label, or has one that no input has");
  }

  sizes.assign(static_cast<size_t>(known), 1);
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t d = 0; d < inputs[i].size(); ++d) {
      int64_t& size = sizes[static_cast<size_t>(inputs[i][d])];
      const int64_t dim = shapes[i][static_cast<int>(d)];
      require(dim == size || dim == 1 || size == 1, "the inputs of the equation '", given, "' have sizes ", size,
              " and ", dim, " for one label");
      if (dim != 1) size = dim;
      for (size_t e = 0; e < d; ++e)
        require(inputs[i][e] != inputs[i][d] || shapes[i][static_cast<int>(e)] == dim, "input ", i,
                " of the equation '", given, "' has the shape ", shapes[i], ", which has no diagonal of that kind");
    }
  }
}

}  // namespace ort_cpu
