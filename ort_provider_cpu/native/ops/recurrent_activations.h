// The activation functions of recurrent layers, by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engine/attributes.h"

namespace ort_cpu {

enum class GateFunctionKind {
  relu,
  tanh,
  sigmoid,
  softsign,
  softplus,
  affine,
  leaky_relu,
  thresholded_relu,
  scaled_tanh,
  hard_sigmoid,
  elu
};

/// One activation function with its parameters.
struct GateFunction {
  GateFunctionKind kind = GateFunctionKind::tanh;
  float alpha = 0, beta = 0;

  template <class A>
  A operator()(A x) const {
    const A a = static_cast<A>(alpha), b = static_cast<A>(beta);
    switch (kind) {
      case GateFunctionKind::relu: return x < 0 ? A{0} : x;
      case GateFunctionKind::tanh: return std::tanh(x);
      case GateFunctionKind::sigmoid: return 1 / (1 + std::exp(-x));
      case GateFunctionKind::softsign: return x / (1 + std::abs(x));
      case GateFunctionKind::softplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
      case GateFunctionKind::affine: return a * x + b;
      case GateFunctionKind::leaky_relu: return x < 0 ? a * x : x;
      case GateFunctionKind::thresholded_relu: return x > a ? x : A{0};
      case GateFunctionKind::scaled_tanh: return a * std::tanh(b * x);
      case GateFunctionKind::hard_sigmoid: return bounded(a * x + b);
      case GateFunctionKind::elu: return x < 0 ? a * std::expm1(x) : x;
    }
    return x;
  }

 private:
  template <class A>
  static A bounded(A x) {
    return x < 0 ? A{0} : x > 1 ? A{1} : x;
  }
};

/// The functions that `activations` names, or `defaults` for each direction. Each takes from activation_alpha and
/// activation_beta, in order, what it has parameters for.
inline std::vector<GateFunction> gate_functions(const Attributes& attributes, const std::vector<std::string>& defaults,
                                                int directions) {
  using Kind = GateFunctionKind;
  struct Entry {
    const char* name;
    Kind kind;
    int parameters;
    float alpha, beta;
  };
  static constexpr Entry kEntries[] = {
      {"relu", Kind::relu, 0, 0, 0},
      {"tanh", Kind::tanh, 0, 0, 0},
      {"sigmoid", Kind::sigmoid, 0, 0, 0},
      {"softsign", Kind::softsign, 0, 0, 0},
      {"softplus", Kind::softplus, 0, 0, 0},
      {"affine", Kind::affine, 2, 1, 0},
      {"leakyrelu", Kind::leaky_relu, 1, 0.01f, 0},
      {"thresholdedrelu", Kind::thresholded_relu, 1, 1, 0},
      {"scaledtanh", Kind::scaled_tanh, 2, 1, 1},
      {"hardsigmoid", Kind::hard_sigmoid, 2, 0.2f, 0.5f},
      {"elu", Kind::elu, 1, 1, 0},
  };
  std::vector<std::string> names = attributes.texts("activations");
  const size_t wanted = defaults.size() * directions;
  if (names.empty())
    for (int d = 0; d < directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
  require(names.size() == wanted, "activations has ", names.size(), " names, expected ", wanted);
  const std::vector<float> alphas = attributes.reals("activation_alpha"), betas = attributes.reals("activation_beta");
  size_t alpha = 0, beta = 0;
  std::vector<GateFunction> functions;
  for (const std::string& name : names) {
    std::string key = name;
    std::transform(key.begin(), key.end(), key.begin(), [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
    const auto entry =
        std::find_if(std::begin(kEntries), std::end(kEntries), [&](const Entry& e) { return key == e.name; });
    require(entry != std::end(kEntries), "activation '", name, "' is unknown");
    GateFunction function{entry->kind, entry->alpha, entry->beta};
    if (entry->parameters > 0 && alpha < alphas.size()) function.alpha = alphas[alpha++];
    if (entry->parameters > 1 && beta < betas.size()) function.beta = betas[beta++];
    functions.push_back(function);
  }
  return functions;
}

/// The attribute `clip`: the bound of what enters the gates, infinity where there is none.
inline float gate_clip(const Attributes& attributes) {
  const float clip = attributes.real("clip", 0);
  require(clip >= 0, "clip is ", clip, ", must not be negative");
  return clip == 0 ? std::numeric_limits<float>::infinity() : clip;
}

/// x within [-bound, bound]; NaN stays.
template <class A>
A clip(A x, A bound) {
  return x > bound ? bound : x < -bound ? -bound : x;
}

}  // namespace ort_cpu
