// From Python's description of a node to the facts that kernels ask for; `_native.pyi` has the shapes of these objects.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "host/kernel_info.h"
#include "host/types.h"

namespace ort_ops::python {

NodeFacts facts_of(nanobind::handle node);
TypeInfo type_of(nanobind::handle type);
Attributes attributes_of(nanobind::handle attributes);

/// `(name, kind, value)`, like what `attributes_of` reads.
nanobind::object to_python(const Attribute& attribute);

/// `(element, dims)`; the element is 0 where it is not known, the dims are None.
nanobind::object to_python(const TensorInfo& info);

}  // namespace ort_ops::python
