// Libraries that cannot be used; `KIND` says in which way.
#include "custom_op_abi.h"

#if KIND == 0
extern "C" int something_else() { return 0; }
#else

#if KIND == 5
extern "C" const ApiBase* OrtGetApiBase();
static const Table early = OrtGetApiBase()->get_api(17);
#endif

struct Nothing {
  explicit Nothing(Info) {}
  void compute(Call c) { *c.data<int64_t>(c.output(0, {})) = 42; }
};

extern "C" void* RegisterCustomOps(void* options, const ApiBase* base) {
  const Table api = base->get_api(KIND == 1 ? 99 : 17);
  if (api == nullptr) return nullptr;
#if KIND == 2
  return slot<void*>(api, 0, 1, "there is no licence");
#elif KIND == 3
  throw std::runtime_error("the moon is full");
#elif KIND == 4
  return add(options, api, "bad", {make<Nothing>(99, "FromTheFuture", {}, {{kInt64}})});
#elif KIND == 5
  return add(options, early, "linked", {make<Nothing>(17, "Nothing", {}, {{kInt64}})});
#elif KIND == 6
  return slot<void*>(api, 7, nullptr);
#elif KIND == 8
  int32_t known = 0;
  char value[64] = {};
  size_t size = sizeof value;
  call(api, 237, options, "bad.licence", &known);
  if (known == 0) return slot<void*>(api, 0, 1, "no licence is configured");
  call(api, 238, options, "bad.licence", value, &size);
  return slot<void*>(api, 0, 1, value);
#else
  return nullptr;
#endif
}
#endif
