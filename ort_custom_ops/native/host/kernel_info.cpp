#include "host/kernel_info.h"

#include "host/key_values.h"
#include "host/logger.h"
#include "host/memory.h"
#include "host/table.h"

namespace ort_ops {

namespace {

using Ports = std::vector<Port> NodeFacts::*;

const Port& port(const KernelInfo* info, Ports ports, size_t index) {
  const std::vector<Port>& all = (*info->node).*ports;
  if (index < all.size()) return all[index];
  const char* what = ports == &NodeFacts::inputs ? "inputs" : "outputs";
  throw Error{Code::invalid_argument, "the node has " + std::to_string(all.size()) + " " + what +
                                          ", the operator asks for number " + std::to_string(index)};
}

template <auto Which>
Status* count(const KernelInfo* info, size_t* out) {
  *out = ((*info->node).*Which).size();
  return nullptr;
}

template <auto Which>
Status* port_name(const KernelInfo* info, size_t index, char* out, size_t* size) {
  return copy_string(port(info, Which, index).name, out, size);
}

template <auto Which>
Status* port_type(const KernelInfo* info, size_t index, TypeInfo** out) {
  const Port& found = port(info, Which, index);
  if (found.type.kind == OnnxType::unknown)
    return make_status(Code::invalid_graph, "the type of '" + found.name + "' is not known");
  *out = new TypeInfo(found.type);
  return nullptr;
}

Status* constant_input(const KernelInfo* info, size_t index, int32_t* is_constant, const Value** out) {
  const std::vector<Port>& inputs = info->node->inputs;
  const Value* constant = index < inputs.size() ? inputs[index].constant.get() : nullptr;
  *is_constant = constant != nullptr;
  *out = constant;
  return nullptr;
}

template <auto Text>
Status* text(const KernelInfo* info, char* out, size_t* size) {
  return copy_string((*info->node).*Text, out, size);
}

Status* since_version(const KernelInfo* info, int32_t* out) {
  *out = info->node->since_version;
  return nullptr;
}

Status* logger(const KernelInfo*, const Logger** out) {
  *out = &the_logger();
  return nullptr;
}

Status* allocator(const KernelInfo*, int32_t, Allocator** out) {
  *out = &cpu_allocator();
  return nullptr;
}

Status* config(const KernelInfo* info, KeyValues** out) {
  *out = new KeyValues(info->node->config);
  return nullptr;
}

Status* copy(const KernelInfo* info, KernelInfo** out) {
  *out = new KernelInfo(*info);
  return nullptr;
}

void release(KernelInfo* info) { delete info; }

}  // namespace

void offer_kernel_info(Table& table) {
  offer<"KernelInfo_GetInputCount", count<&NodeFacts::inputs>>(table);
  offer<"KernelInfo_GetOutputCount", count<&NodeFacts::outputs>>(table);
  offer<"KernelInfo_GetInputName", port_name<&NodeFacts::inputs>>(table);
  offer<"KernelInfo_GetOutputName", port_name<&NodeFacts::outputs>>(table);
  offer<"KernelInfo_GetInputTypeInfo", port_type<&NodeFacts::inputs>>(table);
  offer<"KernelInfo_GetOutputTypeInfo", port_type<&NodeFacts::outputs>>(table);
  offer<"KernelInfoGetConstantInput_tensor", constant_input>(table);
  offer<"KernelInfo_GetNodeName", text<&NodeFacts::name>>(table);
  offer<"KernelInfo_GetOperatorType", text<&NodeFacts::op_type>>(table);
  offer<"KernelInfo_GetOperatorDomain", text<&NodeFacts::domain>>(table);
  offer<"KernelInfo_GetOperatorSinceVersion", since_version>(table);
  offer<"KernelInfo_GetLogger", logger>(table);
  offer<"KernelInfoGetAllocator", allocator>(table);
  offer<"KernelInfo_GetConfigEntries", config>(table);
  offer<"CopyKernelInfo", copy>(table);
  offer<"ReleaseKernelInfo", release>(table);
}

}  // namespace ort_ops
