// The activation that a fused operator applies to its results, from its attributes.
#pragma once

#include "engine/attributes.h"
#include "simd/activation.h"

namespace ort_cpu {

/// The activation that the attribute `activation` names, with the parameters `<prefix>alpha` and `<prefix>beta`.
/// Raises InvalidArgument for a name that is not one of `ActivationKind`.
Activation activation_of(const Attributes& attributes, const std::string& prefix = "");

}  // namespace ort_cpu
