#include <algorithm>

#include "engine/error.h"
#include "ops/chain.h"

namespace ort_cpu {
namespace {

using simd::Binary;
using simd::Ternary;
using simd::Unary;

constexpr int kBinary = simd::kUnaryCount;
constexpr int kTernary = kBinary + static_cast<int>(Binary::count);

constexpr ChainOpcode kOpcodes[] = {
#define ORT_CPU_ENTRY(name, parameters) {#name, 1 + parameters, parameters},
    ORT_CPU_UNARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
#define ORT_CPU_ENTRY(name) {#name, 2, 0},
        ORT_CPU_BINARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
#define ORT_CPU_ENTRY(name) {#name, 3, 0},
            ORT_CPU_TERNARY_FUNCTIONS(ORT_CPU_ENTRY)
#undef ORT_CPU_ENTRY
};
constexpr int kOpcodeCount = static_cast<int>(std::size(kOpcodes));

constexpr int code(Unary f) { return static_cast<int>(f); }
constexpr int code(Binary f) { return kBinary + static_cast<int>(f); }
constexpr int code(Ternary f) { return kTernary + static_cast<int>(f); }

/// Operands that are tensors, not parameters.
int n_tensors(int opcode) { return kOpcodes[opcode].arity - kOpcodes[opcode].parameters; }

/// Floats of all slots together, which with the inputs stay in the L1 cache.
constexpr int64_t kBufferFloats = 6144;
constexpr int64_t kMostPerBlock = 2048;
constexpr int kMostSlots = 96;

double cost_of(int opcode) {
  for (int slow : {code(Binary::pow), code(Binary::mul_silu), code(Binary::mul_sigmoid)})
    if (opcode == slow) return 0.3;
  if (opcode >= kBinary || opcode <= code(Unary::cube) || opcode >= code(Unary::shrink)) return 0.05;
  return opcode == code(Unary::relu) || opcode == code(Unary::leaky_relu) ? 0.05 : 0.3;
}

}  // namespace

std::span<const ChainOpcode> chain_opcodes() { return kOpcodes; }

ChainProgram::ChainProgram(int n_inputs, const std::vector<int64_t>& program, std::vector<float> constants)
    : n_inputs_(n_inputs), constants_(std::move(constants)) {
  const int first_constant = n_inputs, first_result = n_inputs + static_cast<int>(constants_.size());
  n_values_ = first_result;
  size_t at = 0;
  const auto next = [&] {
    require(at < program.size(), "the program ends within an instruction");
    return program[at++];
  };
  while (at < program.size()) {
    ChainStep step;
    const int64_t opcode = next();
    require(opcode >= 0 && opcode < kOpcodeCount, "opcode ", opcode, " is not in [0, ", kOpcodeCount, ")");
    const char* name = kOpcodes[opcode].name;
    step.opcode = static_cast<int>(opcode);
    for (int i = 0; i < kOpcodes[opcode].arity; ++i) {
      const int64_t operand = next();
      require(operand >= 0 && operand < n_values_, "operand ", operand, " of ", name, " is not in [0, ", n_values_,
              ")");
      const int parameter = i - n_tensors(step.opcode);
      if (parameter < 0) {
        step.operands[i] = static_cast<int>(operand);
        continue;
      }
      require(operand >= first_constant && operand < first_result, "parameter ", parameter, " of ", name,
              " must be a constant");
      (parameter == 0 ? step.alpha : step.beta) = constants_[static_cast<size_t>(operand - first_constant)];
    }
    step.result = n_values_++;
    steps_.push_back(step);
  }
  require(!steps_.empty(), "the program is empty");
  fuse();
  allocate();
  ns_per_element_ = 0.15 * (n_inputs + 1);
  for (const ChainStep& step : steps_) ns_per_element_ += cost_of(step.opcode);
}

void ChainProgram::fuse() {
  std::vector<int> uses(static_cast<size_t>(n_values_)), producer(static_cast<size_t>(n_values_), -1);
  const int output = steps_.back().result;
  ++uses[static_cast<size_t>(output)];
  for (const ChainStep& step : steps_)
    for (int i = 0; i < n_tensors(step.opcode); ++i) ++uses[static_cast<size_t>(step.operands[i])];

  std::vector<ChainStep> kept;
  // The step that made a value which only the step at hand uses, if it is of that opcode.
  const auto only_for = [&](int value, int opcode) -> const ChainStep* {
    const int index = producer[static_cast<size_t>(value)];
    if (index < 0 || uses[static_cast<size_t>(value)] != 1) return nullptr;
    const ChainStep& step = kept[static_cast<size_t>(index)];
    return step.opcode == opcode ? &step : nullptr;
  };
  const auto combine = [](ChainStep& step, int opcode, int a, int b, int c = -1) {
    step.opcode = opcode;
    step.operands[0] = a, step.operands[1] = b, step.operands[2] = c;
  };
  for (ChainStep step : steps_) {
    const int a = step.operands[0], b = step.operands[1];
    if (step.opcode == code(Unary::relu)) {
      if (const ChainStep* sum = only_for(a, code(Binary::add)))
        combine(step, code(Binary::add_relu), sum->operands[0], sum->operands[1]);
      else if (const ChainStep* product = only_for(a, code(Binary::mul)))
        combine(step, code(Binary::mul_relu), product->operands[0], product->operands[1]);
    } else if (step.opcode == code(Binary::add) || step.opcode == code(Binary::sub)) {
      const bool sum = step.opcode == code(Binary::add);
      if (const ChainStep* left = only_for(a, code(Binary::mul)))
        combine(step, code(sum ? Ternary::mul_add : Ternary::mul_sub), left->operands[0], left->operands[1], b);
      else if (const ChainStep* right = only_for(b, code(Binary::mul)))
        combine(step, code(sum ? Ternary::mul_add : Ternary::sub_mul), right->operands[0], right->operands[1], a);
    }
    for (int side = 0; side < 2 && step.opcode == code(Binary::mul); ++side) {
      const int value = side == 0 ? a : b, other = side == 0 ? b : a;
      if (const ChainStep* gate = only_for(value, code(Unary::sigmoid))) {
        const int x = gate->operands[0];
        if (x == other) {
          combine(step, code(Unary::silu), x, -1);
          step.alpha = 1;
        } else {
          combine(step, code(Binary::mul_sigmoid), other, x);
        }
      } else if (const ChainStep* silu = only_for(value, code(Unary::silu)); silu != nullptr && silu->alpha == 1) {
        combine(step, code(Binary::mul_silu), silu->operands[0], other);
      } else if (const ChainStep* sum = only_for(value, code(Binary::add))) {
        combine(step, code(Ternary::add_mul), sum->operands[0], sum->operands[1], other);
      }
    }
    producer[static_cast<size_t>(step.result)] = static_cast<int>(kept.size());
    kept.push_back(step);
  }

  // What the combined steps no longer use.
  std::vector<bool> needed(static_cast<size_t>(n_values_));
  needed[static_cast<size_t>(output)] = true;
  steps_.clear();
  for (auto step = kept.rbegin(); step != kept.rend(); ++step) {
    if (!needed[static_cast<size_t>(step->result)]) continue;
    for (int i = 0; i < n_tensors(step->opcode); ++i) needed[static_cast<size_t>(step->operands[i])] = true;
    steps_.push_back(*step);
  }
  std::reverse(steps_.begin(), steps_.end());
}

void ChainProgram::allocate() {
  const int first_result = n_inputs_ + static_cast<int>(constants_.size());
  std::vector<size_t> last_use(static_cast<size_t>(n_values_));
  std::vector<int> slot_of(static_cast<size_t>(n_values_), -1), free;
  for (size_t s = 0; s < steps_.size(); ++s)
    for (int i = 0; i < n_tensors(steps_[s].opcode); ++i) last_use[static_cast<size_t>(steps_[s].operands[i])] = s;
  for (size_t s = 0; s < steps_.size(); ++s) {
    ChainStep& step = steps_[s];
    const auto result = static_cast<size_t>(step.result);
    for (int i = 0; i < n_tensors(step.opcode); ++i) {
      const auto value = static_cast<size_t>(step.operands[i]);
      if (slot_of[value] < 0) continue;
      step.operands[i] = first_result + slot_of[value];
      if (last_use[value] != s) continue;
      // Of an operand that comes twice, the slot is freed with the last.
      bool again = false;
      for (int k = i + 1; k < n_tensors(step.opcode); ++k) again |= step.operands[k] == static_cast<int>(value);
      if (again) continue;
      free.push_back(slot_of[value]);
    }
    if (s + 1 == steps_.size()) break;
    if (free.empty()) free.push_back(n_slots_++);
    step.result = slot_of[result] = free.back();
    free.pop_back();
  }
  steps_.back().result = -1;
  require(n_slots_ <= kMostSlots, "the program keeps ", n_slots_, " values at once, at most ", kMostSlots);
}

void ChainProgram::evaluate(const float* const* inputs, const int* steps, float* out, int64_t n) const {
  alignas(64) float slots[kBufferFloats];
  const int64_t most = n_slots_ == 0 ? n : std::min(kMostPerBlock, kBufferFloats / n_slots_ / 16 * 16);
  for (int64_t at = 0; at < n; at += most) block(inputs, steps, at, slots, most, out + at, std::min(most, n - at));
}

void ChainProgram::block(const float* const* inputs, const int* steps, int64_t at, float* slots, int64_t slot_size,
                         float* out, int64_t n) const {
  const int first_result = n_inputs_ + static_cast<int>(constants_.size());
  int slot_steps[kMostSlots];
  for (const ChainStep& step : steps_) {
    const float* data[3] = {};
    int moves[3] = {};
    const int count = n_tensors(step.opcode);
    for (int i = 0; i < count; ++i) {
      const int operand = step.operands[i];
      if (operand < n_inputs_) {
        data[i] = inputs[operand] + at * steps[operand];
        moves[i] = steps[operand];
      } else if (operand < first_result) {
        data[i] = &constants_[static_cast<size_t>(operand - n_inputs_)];
      } else {
        data[i] = slots + (operand - first_result) * slot_size;
        moves[i] = slot_steps[operand - first_result];
      }
    }
    // What is the same everywhere is computed once.
    const int move = moves[0] | moves[1] | moves[2];
    const bool last = step.result < 0;
    float* to = last ? out : slots + step.result * slot_size;
    const int64_t elements = move != 0 ? n : 1;
    if (!last) slot_steps[step.result] = move;
    if (step.opcode < kBinary) {
      simd::unary_table().loops[step.opcode](data[0], to, elements, step.alpha, step.beta);
    } else if (step.opcode < kTernary) {
      simd::binary_table().binary[step.opcode - kBinary](data[0], data[1], to, elements, moves[0], moves[1]);
    } else {
      simd::binary_table().ternary[step.opcode - kTernary](data[0], data[1], data[2], to, elements, moves[0], moves[1],
                                                           moves[2]);
    }
    if (last && move == 0) std::fill(out + 1, out + n, out[0]);
  }
}

}  // namespace ort_cpu
