// `Runner`: the Python callable that runs a program on numpy arrays; written against CPython's API, since its cost
// counts.
#pragma once

#include <Python.h>

#include <memory>

#include "engine/program.h"

namespace ort_cpu::python {

/// The type of the callable; ready it once.
///
/// `Runner.fast_run(feeds, fetches)`: `feeds` maps every input's name to a numpy array of exactly its type and of its
/// declared dimensions, C-contiguous; `fetches` is None or a list of output names. Returns the list of outputs, or
/// NotImplemented, before any side effect, for whatever else.
///
/// `Runner.bind_run(session, method, gate)`: what stands for `session.run`: a callable with the arguments of `method`,
/// but for its first, the session (given by a weak reference). It answers as `fast_run` does, and calls `method` for
/// what is unusual or while the list `gate` is not empty.
///
/// `Runner.run(inputs, output, cancel, timings)`: positional inputs (numpy arrays that the caller has checked);
/// `output(i, shape)` gives the array for an output of known shape, or is None; `cancel` is the address of a 32-bit
/// flag; `timings`, if a list, receives (op, label, started_ns, ended_ns) of each instruction.
PyTypeObject* runner_type();

/// A new runner. `inputs`: (name, dtype, dimensions or None) each, with names for symbolic
/// dimensions and None for unknown ones; `outputs`: (name, dtype) each.
PyObject* make_runner(std::shared_ptr<Program> program, PyObject* inputs, PyObject* outputs);

}  // namespace ort_cpu::python
