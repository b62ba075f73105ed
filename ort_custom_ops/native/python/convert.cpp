#include "python/convert.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "host/elements.h"
#include "host/status.h"
#include "python/arrays.h"

namespace nb = nanobind;

namespace ort_ops::python {

namespace {

std::string bytes_of(nb::handle object) {
  const auto bytes = nb::cast<nb::bytes>(object);
  return {bytes.c_str(), bytes.size()};
}

template <class T, class Convert>
std::vector<T> list_of(nb::handle object, Convert convert) {
  std::vector<T> list;
  for (nb::handle item : object) list.push_back(convert(item));
  return list;
}

TensorInfo tensor_info(nb::handle element, nb::handle dims) {
  TensorInfo info;
  info.type = from_onnx_number(nb::cast<int32_t>(element));
  info.has_shape = !dims.is_none();
  if (dims.is_none()) return info;
  std::vector<int64_t> sizes;
  for (nb::handle dim : dims) {
    sizes.push_back(nb::isinstance<nb::int_>(dim) ? nb::cast<int64_t>(dim) : -1);
    info.symbols.push_back(nb::isinstance<nb::str>(dim) ? nb::cast<std::string>(dim) : std::string());
  }
  info.dims.assign(sizes);
  return info;
}

Port port_of(nb::handle object) {
  const auto fields = nb::cast<nb::tuple>(object);
  Port port{nb::cast<std::string>(fields[0]), type_of(fields[1]), nullptr};
  if (!fields[2].is_none()) port.constant = value_of(nb::handle(fields[2]).ptr());
  return port;
}

/// The kinds of onnx.AttributeProto.
enum class Kind { float_ = 1, int_, string, tensor, graph, floats, ints, strings };

Attribute attribute_of(const std::string& name, nb::handle kind, nb::handle value) {
  Attribute attribute;
  attribute.name = name;
  const auto to_float = [](nb::handle item) { return static_cast<float>(nb::cast<double>(item)); };
  const auto to_int = [](nb::handle item) { return nb::cast<int64_t>(item); };
  switch (static_cast<Kind>(nb::cast<int>(kind))) {
    case Kind::int_: attribute.value.emplace<1>(to_int(value)); break;
    case Kind::ints: attribute.value.emplace<2>(list_of<int64_t>(value, to_int)); break;
    case Kind::float_: attribute.value.emplace<3>(to_float(value)); break;
    case Kind::floats: attribute.value.emplace<4>(list_of<float>(value, to_float)); break;
    case Kind::string: attribute.value.emplace<5>(bytes_of(value)); break;
    case Kind::strings: attribute.value.emplace<6>(list_of<std::string>(value, bytes_of)); break;
    case Kind::graph: attribute.value.emplace<7>(); break;
    case Kind::tensor: attribute.value.emplace<8>(value_of(value.ptr())); break;
    default: break;
  }
  return attribute;
}

}  // namespace

TypeInfo type_of(nb::handle object) {
  TypeInfo type;
  if (object.is_none()) return type;
  const auto fields = nb::cast<nb::tuple>(object);
  const auto kind = nb::cast<std::string>(fields[0]);
  if (kind == "tensor" || kind == "sparse_tensor") {
    type.kind = kind == "tensor" ? OnnxType::tensor : OnnxType::sparse_tensor;
    type.tensor = tensor_info(fields[1], fields[2]);
  } else {
    type.kind = kind == "sequence" ? OnnxType::sequence : kind == "map" ? OnnxType::map : OnnxType::optional;
    if (kind == "map") type.key = from_onnx_number(nb::cast<int32_t>(fields[2]));
    type.inner = std::make_shared<TypeInfo>(type_of(fields[1]));
  }
  return type;
}

Attributes attributes_of(nb::handle object) {
  Attributes attributes;
  for (nb::handle item : object) {
    const auto fields = nb::cast<nb::tuple>(item);
    const auto name = nb::cast<std::string>(fields[0]);
    attributes.emplace(name, attribute_of(name, fields[1], fields[2]));
  }
  return attributes;
}

NodeFacts facts_of(nb::handle object) {
  const auto fields = nb::cast<nb::tuple>(object);
  NodeFacts facts;
  facts.name = nb::cast<std::string>(fields[0]);
  facts.op_type = nb::cast<std::string>(fields[1]);
  facts.domain = nb::cast<std::string>(fields[2]);
  facts.since_version = nb::cast<int32_t>(fields[3]);
  facts.inputs = list_of<Port>(fields[4], port_of);
  facts.outputs = list_of<Port>(fields[5], port_of);
  facts.attributes = attributes_of(fields[6]);
  facts.config = nb::cast<std::map<std::string, std::string>>(fields[7]);
  return facts;
}

nb::object to_python(const Attribute& attribute) {
  const auto named = [&](Kind kind, nb::object value) {
    return nb::make_tuple(attribute.name, static_cast<int>(kind), std::move(value));
  };
  if (const auto* value = attribute.get_if<AttributeType::int_>()) return named(Kind::int_, nb::cast(*value));
  if (const auto* value = attribute.get_if<AttributeType::ints>()) return named(Kind::ints, nb::cast(*value));
  if (const auto* value = attribute.get_if<AttributeType::float_>()) return named(Kind::float_, nb::cast(*value));
  if (const auto* value = attribute.get_if<AttributeType::floats>()) return named(Kind::floats, nb::cast(*value));
  if (const auto* value = attribute.get_if<AttributeType::string>())
    return named(Kind::string, nb::bytes(value->data(), value->size()));
  if (const auto* values = attribute.get_if<AttributeType::strings>()) {
    nb::list list;
    for (const std::string& value : *values) list.append(nb::bytes(value.data(), value.size()));
    return named(Kind::strings, list);
  }
  throw Error{Code::not_implemented, "attribute '" + attribute.name + "' is of a kind that operators cannot be given"};
}

nb::object to_python(const TensorInfo& info) {
  nb::object dims = nb::none();
  if (info.has_shape) {
    nb::list list;
    for (size_t i = 0; i < info.dims.rank(); ++i) {
      const bool has_symbol = i < info.symbols.size() && !info.symbols[i].empty();
      const int64_t dim = info.dims.data()[i];
      if (has_symbol) list.append(nb::str(info.symbols[i].c_str()));
      else if (dim < 0) list.append(nb::none());
      else list.append(nb::int_(dim));
    }
    dims = nb::tuple(list);
  }
  return nb::make_tuple(onnx_number(info.type), dims);
}

}  // namespace ort_ops::python
