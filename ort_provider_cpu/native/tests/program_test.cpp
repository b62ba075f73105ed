// The engine: random programs of small kernels give the same results however their memory is planned.
#include <cstring>
#include <random>

#include "engine/plan.h"
#include "engine/registry.h"
#include "tests/check.h"

namespace ort_cpu {
namespace {

/// y = a + b of equal length; may take over the memory of either.
class Add : public Kernel {
 public:
  explicit Add(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override {
    require(ctx.shape(0) == ctx.shape(1), "shapes differ");
    ctx.output(0, DType::f32, ctx.shape(0));
    ctx.may_overwrite(0, 0);
    ctx.may_overwrite(0, 1);
  }
  void run(RunContext& ctx) const override {
    for (int64_t i = 0; i < ctx.output(0).size(); ++i)
      ctx.output(0).as<float>()[i] = ctx.input(0).as<float>()[i] + ctx.input(1).as<float>()[i];
  }
};

/// The two halves of a vector, as views.
class Halves : public Kernel {
 public:
  explicit Halves(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override {
    const int64_t half = ctx.shape(0)[0] / 2;
    ctx.alias(0, 0, {half});
    ctx.alias(1, 0, {half}, static_cast<size_t>(half) * sizeof(float));
  }
  void run(RunContext&) const override {}
};

/// The vector twice over; uses scratch memory.
class Twice : public Kernel {
 public:
  explicit Twice(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override {
    ctx.output(0, DType::f32, {2 * ctx.shape(0)[0]});
    ctx.scratch(static_cast<size_t>(ctx.shape(0).size()) * sizeof(float));
  }
  void run(RunContext& ctx) const override {
    const size_t bytes = ctx.input(0).size_bytes();
    std::memcpy(ctx.scratch<void>(), ctx.input(0).data, bytes);
    std::memcpy(ctx.output(0).data, ctx.scratch<void>(), bytes);
    std::memcpy(ctx.output(0).as<std::byte>() + bytes, ctx.scratch<void>(), bytes);
  }
};

/// The vector, by a kernel that tells its shape only when it runs.
class Late : public Kernel {
 public:
  explicit Late(const NodeSpec&) {}
  void plan(PlanContext& ctx) const override { ctx.output_of_unknown_shape(0, DType::f32); }
  void run(RunContext& ctx) const override {
    const Tensor& out = ctx.allocate(0, DType::f32, ctx.input(0).shape);
    std::memcpy(out.data, ctx.input(0).data, out.size_bytes());
  }
};

const Registration registration{
    {.op = "Add", .domain = "test", .inputs = {kFloats}, .make = make_kernel<Add>},
    {.op = "Halves", .domain = "test", .inputs = {kFloats}, .make = make_kernel<Halves>},
    {.op = "Twice", .domain = "test", .inputs = {kFloats}, .make = make_kernel<Twice>},
    {.op = "Late", .domain = "test", .inputs = {kFloats}, .make = make_kernel<Late>},
};

using Vector = std::vector<float>;

struct Step {
  std::string op;
  std::vector<int> inputs;
  std::vector<int> outputs;
};

/// A random program over vectors whose lengths are powers of two times the input's.
struct RandomProgram {
  std::vector<Step> steps;
  std::vector<int> outputs;
  int n_values = 2;

  RandomProgram(unsigned seed, bool with_late) {
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    std::vector<int> level{0, 0};
    const int n_steps = 3 + pick(20);
    for (int i = 0; i < n_steps; ++i) {
      const int a = pick(n_values);
      const int kind = pick(with_late ? 4 : 3);
      if (kind == 0) {
        std::vector<int> same;
        for (int v = 0; v < n_values; ++v)
          if (level[v] == level[a]) same.push_back(v);
        steps.push_back({"Add", {a, same[pick(static_cast<int>(same.size()))]}, {n_values}});
        level.push_back(level[a]);
      } else if (kind == 1 && level[a] > -3) {
        steps.push_back({"Halves", {a}, {n_values, n_values + 1}});
        level.insert(level.end(), 2, level[a] - 1);
      } else if (kind == 2 && level[a] < 4) {
        steps.push_back({"Twice", {a}, {n_values}});
        level.push_back(level[a] + 1);
      } else {
        steps.push_back(
            {with_late ? "Late" : "Add", with_late ? std::vector<int>{a} : std::vector<int>{a, a}, {n_values}});
        level.push_back(level[a]);
      }
      n_values = static_cast<int>(level.size());
    }
    const int n_outputs = 1 + pick(4);
    for (int i = 0; i < n_outputs; ++i) outputs.push_back(pick(n_values));
  }

  std::vector<Vector> interpret(const Vector& x, const Vector& y) const {
    std::vector<Vector> values(static_cast<size_t>(n_values));
    values[0] = x, values[1] = y;
    for (const Step& step : steps) {
      const Vector a = values[step.inputs[0]];
      if (step.op == "Add") {
        Vector sum = a;
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[step.inputs[1]][i];
        values[step.outputs[0]] = sum;
      } else if (step.op == "Halves") {
        values[step.outputs[0]] = Vector(a.begin(), a.begin() + static_cast<ptrdiff_t>(a.size() / 2));
        values[step.outputs[1]] = Vector(a.begin() + static_cast<ptrdiff_t>(a.size() / 2), a.end());
      } else {
        values[step.outputs[0]] = a;
        if (step.op == "Twice") values[step.outputs[0]].insert(values[step.outputs[0]].end(), a.begin(), a.end());
      }
    }
    std::vector<Vector> results;
    for (int v : outputs) results.push_back(values[v]);
    return results;
  }

  std::unique_ptr<Program> build(std::shared_ptr<Environment> environment) const {
    auto program = std::make_unique<Program>(std::move(environment));
    const SlotType type{DType::f32, false, {}};
    std::vector<int> slots(static_cast<size_t>(n_values));
    slots[0] = program->add_input(type), slots[1] = program->add_input(type);
    for (const Step& step : steps) {
      std::vector<int> inputs;
      for (int v : step.inputs) inputs.push_back(slots[v]);
      const auto made = program->add_node("test", step.op, "node 'n' (test::" + step.op + ")", Attributes{}, inputs,
                                          std::vector<SlotType>(step.outputs.size(), type));
      for (size_t i = 0; i < made.size(); ++i) slots[step.outputs[i]] = made[i];
    }
    std::vector<int> results;
    for (int v : outputs) results.push_back(slots[v]);
    program->finish(results, std::vector<SlotType>(results.size(), type));
    return program;
  }
};

std::shared_ptr<Environment> environment(bool plan_memory, bool reuse_memory, bool keep_arena, size_t limit = 0) {
  auto made = std::make_shared<Environment>();
  made->threads = std::make_shared<ThreadPool>(1, false);
  made->memory = std::make_shared<MemoryPool>(keep_arena, limit);
  made->plan_memory = plan_memory, made->reuse_memory = reuse_memory, made->keep_arena = keep_arena;
  return made;
}

void compare(unsigned seed, bool with_late) {
  const RandomProgram random(seed, with_late);
  for (int options = 0; options < 8; ++options) {
    const auto shared = environment((options & 1) != 0, (options & 2) != 0, (options & 4) != 0);
    const auto program = random.build(shared);
    for (const int64_t length : {8, 16, 8, 64}) {
      Vector x(static_cast<size_t>(length)), y(static_cast<size_t>(length));
      for (size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i) + 1, y[i] = 100.0f * static_cast<float>(i + seed);
      const std::vector<Vector> expected = random.interpret(x, y);
      const std::vector<Tensor> inputs{{x.data(), DType::f32, {length}}, {y.data(), DType::f32, {length}}};
      const Vector x_before = x;
      std::vector<Result> results = program->run(inputs, nullptr);
      CHECK(x == x_before);
      for (size_t i = 0; i < results.size(); ++i) {
        CHECK(results[i].tensor.size() == static_cast<int64_t>(expected[i].size()));
        CHECK(std::memcmp(results[i].tensor.data, expected[i].data(), expected[i].size() * sizeof(float)) == 0);
        for (size_t k = 0; k < i; ++k) CHECK(results[i].tensor.data != results[k].tensor.data);
      }
    }
    program->trim();
    CHECK(shared->memory->stats().in_use_bytes == 0);
  }
}

}  // namespace

TEST(random_programs_agree_under_all_memory_options) {
  for (unsigned seed = 0; seed < 400; ++seed) compare(seed, false);
}

TEST(random_programs_with_shapes_known_only_at_run_time_agree) {
  for (unsigned seed = 0; seed < 400; ++seed) compare(seed, true);
}

TEST(memory_over_the_limit_is_refused_and_the_program_stays_usable) {
  const RandomProgram random(3, false);
  const auto program = random.build(environment(true, true, true, 4096));
  Vector small(8, 1.0f), large(1 << 20, 1.0f);
  const auto run = [&](Vector& v) {
    const Tensor tensor{v.data(), DType::f32, {static_cast<int64_t>(v.size())}};
    return program->run(std::vector<Tensor>{tensor, tensor}, nullptr).size();
  };
  CHECK(run(small) > 0);
  bool refused = false;
  try {
    run(large);
  } catch (const Error& error) {
    refused = error.kind() == ErrorKind::out_of_memory;
  }
  CHECK(refused);
  CHECK(run(small) > 0);
}

TEST(a_set_cancel_flag_ends_the_run) {
  const RandomProgram random(5, false);
  const auto program = random.build(environment(true, true, true));
  Vector x(8, 1.0f);
  const Tensor tensor{x.data(), DType::f32, {8}};
  const std::atomic<uint32_t> cancel{1};
  bool cancelled = false;
  try {
    program->run(std::vector<Tensor>{tensor, tensor}, &cancel);
  } catch (const Error& error) {
    cancelled = error.kind() == ErrorKind::fail;
  }
  CHECK(cancelled);
}

TEST(wrong_shapes_name_the_node) {
  Vector x(8, 1.0f), y(9, 1.0f);
  std::string text;
  Program added(environment(true, true, true));
  const SlotType type{DType::f32, false, {}};
  const int a = added.add_input(type), b = added.add_input(type);
  added.finish(added.add_node("test", "Add", "node 'sum' (test::Add)", Attributes{}, {a, b}, {type}), {type});
  try {
    added.run(std::vector<Tensor>{{x.data(), DType::f32, {8}}, {y.data(), DType::f32, {9}}}, nullptr);
  } catch (const Error& error) {
    text = error.what();
  }
  CHECK(text.find("node 'sum'") != std::string::npos);
}

}  // namespace ort_cpu

TEST_MAIN()
