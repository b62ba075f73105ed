// The internal operator `ort.cpu::Chain`: an expression of element-wise float functions, evaluated in one pass.
//
//   y = Chain(x0, ..., xk), all float32, broadcast to each other; at most 16 inputs
//
//   program    INTS: the instructions in order, each [opcode, operand, ...] with `arity` operands.
//   constants  FLOATS: the numbers that the program uses.
//
// An opcode is an index of `chain_opcodes()`; use their names, the indices may change. Values are numbered: first the
// inputs 0 ... k, then the constants, then the result of each instruction. An operand is the number of an earlier
// value; the last `parameters` operands of an opcode must be constants. The result of the last instruction is the
// output. For example x0 * sigmoid(x0 + x1) * 2 is
//
//   constants = [2.0]                                     value 2
//   program = [add, 0, 1, sigmoid, 3, mul, 0, 4, mul, 5, 2]   values 3, 4, 5, 6
//
// The kernel recognises what the tables of `simd` have as one function (products with sigmoid, sums and products
// followed by relu or a further product or sum), so programs need not be written with those in mind.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "simd/binary.h"
#include "simd/unary.h"

namespace ort_cpu {

struct ChainOpcode {
  const char* name;
  int arity;       // operands, the parameters among them
  int parameters;  // how many of the last operands must be constants
};

/// All opcodes: the functions of `ORT_CPU_UNARY_FUNCTIONS`, then those of `ORT_CPU_BINARY_FUNCTIONS` and
/// `ORT_CPU_TERNARY_FUNCTIONS`, by their names.
std::span<const ChainOpcode> chain_opcodes();

/// One step of an evaluation. Operands and result are numbers of values, and once slots are allocated, results count as
/// slots: an operand's number is then the first result's plus the slot, `result` is the slot, or -1 for the output.
struct ChainStep {
  int opcode = 0;
  int operands[3] = {-1, -1, -1};
  float alpha = 0, beta = 0;
  int result = 0;
};

/// A checked and simplified program.
class ChainProgram {
 public:
  /// Raises InvalidArgument if the program is malformed.
  ChainProgram(int n_inputs, const std::vector<int64_t>& program, std::vector<float> constants);

  /// Computes `n` elements of the output: input i has the elements `inputs[i][k * steps[i]]`, steps being 0 or 1.
  void evaluate(const float* const* inputs, const int* steps, float* out, int64_t n) const;
  /// An estimate of the time for an element.
  double ns_per_element() const { return ns_per_element_; }

 private:
  void fuse();
  void allocate();
  /// Elements `at` and on of `evaluate`, with room for `slot_size` elements of each slot.
  void block(const float* const* inputs, const int* steps, int64_t at, float* slots, int64_t slot_size, float* out,
             int64_t n) const;

  const int n_inputs_;
  const std::vector<float> constants_;
  std::vector<ChainStep> steps_;
  int n_values_ = 0;
  int n_slots_ = 0;
  double ns_per_element_ = 0;
};

}  // namespace ort_cpu
