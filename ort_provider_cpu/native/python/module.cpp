// The Python module: building programs, asking the registry, memory and threads. Running is `runner.cpp`.
#define ORT_CPU_IMPORTS_NUMPY
#include "python/numpy_api.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <map>

#include "engine/probe.h"
#include "engine/program.h"
#include "engine/registry.h"
#include "ops/chain.h"
#include "ops/custom_kernel.h"
#include "python/exceptions.h"
#include "python/runner.h"
#include "simd/isa.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace ort_cpu::python {

namespace {

DType dtype_of(int code) {
  if (code < 0 || code > static_cast<int>(DType::f6e3m2)) throw_invalid("there is no element type ", code);
  return static_cast<DType>(code);
}

Shape shape_of(PyArrayObject* array) {
  return Shape(std::span<const int64_t>(reinterpret_cast<const int64_t*>(PyArray_DIMS(array)), PyArray_NDIM(array)));
}

PyArrayObject* contiguous_array(nb::handle object) {
  auto* array = reinterpret_cast<PyArrayObject*>(object.ptr());
  if (!PyArray_Check(object.ptr()) || !PyArray_ISCARRAY_RO(array))
    throw_invalid("expected an aligned C-contiguous array");
  return array;
}

Tensor tensor_of(nb::handle object, int code) {
  PyArrayObject* array = contiguous_array(object);
  const Tensor tensor{PyArray_DATA(array), dtype_of(code), shape_of(array)};
  if (static_cast<size_t>(PyArray_NBYTES(array)) != tensor.size_bytes())
    throw_invalid("the array's elements have another size than ", name_of(tensor.dtype));
  return tensor;
}

/// Keeps a Python object alive, from any thread.
std::shared_ptr<const void> owner_of(nb::object object) {
  return {object.release().ptr(), [](const void* held) {
            const nb::gil_scoped_acquire gil;
            Py_DECREF(static_cast<PyObject*>(const_cast<void*>(held)));
          }};
}

/// A file that Python reads: `read(target, offset)` fills the buffer `target`.
class PythonFile : public ConstantFile {
 public:
  explicit PythonFile(nb::callable read) : read_(std::move(read)) {}
  void read(size_t offset, void* to, size_t bytes) override {
    const nb::object target = nb::steal(
        PyMemoryView_FromMemory(static_cast<char*>(to), static_cast<Py_ssize_t>(bytes), PyBUF_WRITE));
    if (!target.is_valid()) throw nb::python_error();
    read_(target, offset);
  }

 private:
  nb::callable read_;
};

/// An element type and, where the rank is known, the dimensions (-1 for unknown ones).
SlotType slot_type(int code, const std::optional<std::vector<int64_t>>& dims) {
  SlotType type{dtype_of(code), false, {}};
  if (dims && dims->size() <= kMaxRank) {
    type.has_shape = true;
    type.shape = Shape(*dims);
  }
  return type;
}

using PortType = std::tuple<int, std::optional<std::vector<int64_t>>>;

std::vector<SlotType> slot_types(const std::vector<PortType>& ports) {
  std::vector<SlotType> types;
  for (const auto& [code, dims] : ports) types.push_back(slot_type(code, dims));
  return types;
}

/// Attributes from a dictionary of name to (kind, value).
Attributes attributes_of(const nb::dict& items) {
  Attributes attributes;
  for (auto [key, item] : items) {
    const auto name = nb::cast<std::string>(key);
    const auto pair = nb::cast<nb::tuple>(item);
    const auto kind = nb::cast<std::string>(pair[0]);
    nb::handle value = pair[1];
    if (kind == "INT") attributes.set(name, nb::cast<int64_t>(value));
    else if (kind == "FLOAT") attributes.set(name, nb::cast<float>(value));
    else if (kind == "STRING") attributes.set(name, nb::cast<std::string>(value));
    else if (kind == "INTS") attributes.set(name, nb::cast<std::vector<int64_t>>(value));
    else if (kind == "FLOATS") attributes.set(name, nb::cast<std::vector<float>>(value));
    else if (kind == "STRINGS") attributes.set(name, nb::cast<std::vector<std::string>>(value));
    else if (kind == "GRAPH") attributes.set(name, nb::cast<std::shared_ptr<Program>>(value));
    else if (kind == "TENSOR") {
      const auto typed = nb::cast<nb::tuple>(value);
      const auto code = nb::cast<int>(typed[1]);
      if (dtype_of(code) == DType::string) throw_not_implemented("the attribute '", name, "' holds strings");
      const Tensor source = tensor_of(typed[0], code);
      auto owned = std::make_shared<OwnedTensor>(source.dtype, source.shape);
      if (source.size_bytes() > 0) std::memcpy(owned->view().data, source.data, source.size_bytes());
      attributes.set(name, std::move(owned));
    } else {
      throw_not_implemented("the attribute '", name, "' is of kind ", kind, ", which no kernel takes");
    }
  }
  return attributes;
}

std::optional<std::string> decline_reason(const std::string& domain, const std::string& op, const nb::dict& attributes,
                                          const std::vector<PortType>& inputs, const std::vector<int>& outputs) {
  const Settings settings;
  const std::vector<SlotType> types = slot_types(inputs);
  std::vector<InputSpec> specs;
  for (const SlotType& type : types) specs.push_back({type.dtype, nullptr, type.has_shape ? &type.shape : nullptr});
  std::vector<DType> dtypes;
  for (int code : outputs) dtypes.push_back(dtype_of(code));
  Attributes read;
  try {
    read = attributes_of(attributes);
  } catch (const Error& error) {
    return error.what();
  }
  return Registry::instance().decline_reason(domain, NodeSpec(op, read, std::move(specs), std::move(dtypes), settings));
}

nb::list registered_kernels() {
  nb::list all;
  const auto codes = [](const std::vector<DTypeSet>& sets) {
    nb::list lists;
    for (DTypeSet set : sets) {
      nb::list list;
      for (int code = 1; code <= static_cast<int>(DType::f6e3m2); ++code)
        if (set.contains(static_cast<DType>(code))) list.append(code);
      lists.append(list);
    }
    return lists;
  };
  for (const KernelEntry* entry : Registry::instance().entries())
    all.append(nb::make_tuple(entry->domain, entry->op, codes(entry->inputs), codes(entry->outputs)));
  return all;
}

/// The pool that all sessions share which do not ask for threads of their own. It lives as long as the process.
std::shared_ptr<ThreadPool> shared_pool(int threads, bool spin) {
  static auto* pools = new std::map<std::pair<int, bool>, std::shared_ptr<ThreadPool>>;
  auto& pool = (*pools)[{threads, spin}];
  if (pool == nullptr) pool = std::make_shared<ThreadPool>(threads, spin);
  return pool;
}

std::shared_ptr<Environment> make_environment(int threads, bool own_threads, bool spin, bool winograd,
                                              bool deterministic, bool low_memory, bool keep_arena, bool plan_memory,
                                              bool reuse_memory, size_t memory_limit) {
  if (threads < 1 || threads > 4096) throw_invalid("the number of threads must be in [1, 4096], got ", threads);
  auto environment = std::make_shared<Environment>();
  environment->settings = {threads, winograd, deterministic, low_memory};
  environment->threads = own_threads ? std::make_shared<ThreadPool>(threads, spin) : shared_pool(threads, spin);
  environment->memory = std::make_shared<MemoryPool>(keep_arena, memory_limit);
  environment->keep_arena = keep_arena;
  environment->plan_memory = plan_memory;
  environment->reuse_memory = reuse_memory;
  return environment;
}

void bind(nb::module_& module) {
  nb::class_<Environment>(module, "Environment", "What the programs of a session share: threads, memory, settings.")
      .def(nb::new_(&make_environment), nb::kw_only(), "threads"_a, "own_threads"_a = false, "spin"_a = true,
           "winograd"_a = true, "deterministic"_a = false, "low_memory"_a = false, "keep_arena"_a = true,
           "plan_memory"_a = true, "reuse_memory"_a = true, "memory_limit"_a = 0)
      .def(
          "trim", [](Environment& self) { return self.memory->trim(); }, "Frees cached memory; returns how many bytes.")
      .def(
          "memory_stats",
          [](Environment& self) {
            const MemoryStats stats = self.memory->stats();
            nb::dict out;
            out["in_use_bytes"] = stats.in_use_bytes;
            out["cached_bytes"] = stats.cached_bytes;
            out["peak_bytes"] = stats.peak_bytes;
            out["allocations"] = stats.allocations;
            out["limit_bytes"] = stats.limit_bytes;
            return out;
          },
          "Counts of the session's memory.");

  nb::class_<Program>(module, "Program", "Instructions over numbered slots; build it, finish it, make a runner of it.")
      .def(nb::init<std::shared_ptr<Environment>>(), "environment"_a)
      .def(
          "add_input",
          [](Program& self, const PortType& port) {
            return self.add_input(slot_type(std::get<0>(port), std::get<1>(port)));
          },
          "port"_a, "Adds an input of (element type, dimensions or None) and returns its slot.")
      .def(
          "add_constant",
          [](Program& self, nb::object array, int code, int uses) {
            return self.add_constant(tensor_of(array, code), owner_of(array), uses);
          },
          "array"_a, "element"_a, "uses"_a, "Adds a constant that `uses` nodes will take, and returns its slot.")
      .def(
          "add_stored_constant",
          [](Program& self, nb::callable read, int code, const std::vector<int64_t>& dims) {
            return self.add_constant(dtype_of(code), Shape(dims), std::make_unique<PythonFile>(std::move(read)));
          },
          "read"_a, "element"_a, "dims"_a,
          "Adds a constant that only the next node will take; `read(target, offset)` fills a buffer from its bytes.")
      .def(
          "add_node",
          [](Program& self, const std::string& domain, const std::string& op, const std::string& label,
             const nb::dict& attributes, const std::vector<int>& inputs, const std::vector<PortType>& outputs) {
            return self.add_node(domain, op, label, attributes_of(attributes), inputs, slot_types(outputs));
          },
          "domain"_a, "op"_a, "label"_a, "attributes"_a, "inputs"_a, "outputs"_a,
          "Adds a node; -1 stands for absent inputs, element type 0 for unwanted outputs. Returns the slots of the "
          "outputs.")
      .def(
          "add_custom_node",
          [](Program& self, nb::object kernel, uintptr_t entry, const std::string& op, const std::string& label,
             const std::vector<int>& inputs, const std::vector<PortType>& outputs) {
            const std::vector<SlotType> types = slot_types(outputs);
            std::vector<DType> dtypes;
            for (const SlotType& type : types) dtypes.push_back(type.dtype);
            auto made = make_custom_kernel(reinterpret_cast<const OrtCoreKernel*>(entry), owner_of(kernel), dtypes);
            return self.add_node(std::move(made), op, label, inputs, types);
          },
          "kernel"_a, "entry"_a, "op"_a, "label"_a, "inputs"_a, "outputs"_a,
          "As `add_node`, with the native entry of a custom operator's kernel, which lives as long as `kernel` does.")
      .def(
          "finish",
          [](Program& self, const std::vector<int>& outputs, const std::vector<PortType>& types) {
            self.finish(outputs, slot_types(types));
          },
          "outputs"_a, "types"_a, "Ends building; the outputs have these types as far as they are known.")
      .def("trim", &Program::trim, "Gives the memory of idle runs back to the pool.")
      .def(
          "runner",
          [](std::shared_ptr<Program> self, nb::list inputs, nb::list outputs) {
            PyObject* runner = make_runner(std::move(self), inputs.ptr(), outputs.ptr());
            if (runner == nullptr) throw nb::python_error();
            return nb::steal(runner);
          },
          "inputs"_a, "outputs"_a, "The callable that runs the program, see `Runner`.");

  module.def("decline_reason", &decline_reason, "domain"_a, "op"_a, "attributes"_a, "inputs"_a, "outputs"_a,
             "Why no kernel takes a node of these types; None if one does.");
  module.def(
      "has_kernel",
      [](const std::string& domain, const std::string& op) { return Registry::instance().find(domain, op) != nullptr; },
      "domain"_a, "op"_a, "Whether there is a kernel for an operator, of whatever types.");
  module.def("registered_kernels", &registered_kernels,
             "(domain, operator, input types, output types) of every kernel.");
  module.def(
      "chain_opcodes",
      [] {
        std::vector<std::tuple<std::string, int, int>> opcodes;
        for (const ChainOpcode& opcode : chain_opcodes())
          opcodes.emplace_back(opcode.name, opcode.arity, opcode.parameters);
        return opcodes;
      },
      "(name, operands, constant operands among them) of each opcode of `ort.cpu::Chain`.");
  module.def("probe_fma_gflops", &probe_fma_gflops, "seconds"_a, "threads"_a, nb::call_guard<nb::gil_scoped_release>(),
             "GFLOP/s of fused multiply-adds in registers.");
  module.def("probe_read_bandwidth", &probe_read_bandwidth, "size_bytes"_a, "threads"_a,
             nb::call_guard<nb::gil_scoped_release>(), "GB/s of reading memory.");
  module.def("isa", [] { return simd::isa_name(simd::isa()); }, "The level of instructions in use.");
  module.def(
      "supported_isas",
      [] {
        std::vector<std::string> names;
        for (int i = 0; i <= static_cast<int>(simd::Isa::avx512_bf16); ++i)
          if (simd::is_supported(static_cast<simd::Isa>(i)))
            names.emplace_back(simd::isa_name(static_cast<simd::Isa>(i)));
        return names;
      },
      "The levels of instructions that this processor can run.");
  module.def(
      "set_exception_classes", [](nb::dict classes) { set_exception_classes(classes.ptr()); }, "classes"_a,
      "Tells which exception class stands for which kind of error, by its number.");
  module.attr("Runner") = nb::borrow(reinterpret_cast<PyObject*>(runner_type()));
}

void import_numpy() {
  if (PyArray_ImportNumPyAPI() < 0) throw nb::python_error();
}

}  // namespace
}  // namespace ort_cpu::python

NB_MODULE(_native, module) {
  ort_cpu::python::import_numpy();
  // Sessions that are open when the process ends are no leak.
  nb::set_leak_warnings(false);
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const ort_cpu::Error&) {
      ort_cpu::python::set_python_error();
    }
  });
  ort_cpu::python::bind(module);
}
