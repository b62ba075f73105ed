#include "host/table.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ort_ops {

namespace {

constexpr bool kReturnsStatus[] = {
#define ORT_SLOT_status true
#define ORT_SLOT_silent false
#define ORT_SLOT(name, returns) ORT_SLOT_##returns,
#include "host/slots.inc"
#undef ORT_SLOT
#undef ORT_SLOT_silent
#undef ORT_SLOT_status
};

template <size_t I>
Status* refuse() {
  std::string what = "slot " + std::to_string(I);
  if constexpr (I < kSlots) what = std::string(kSlotNames[I]);
  return make_status(
      Code::not_implemented,
      "OrtApi::" + what + " is not offered to custom operators by ort-core. Build the library without it.");
}

/// For slots that return nothing, a number or a pointer: null in all of these.
void* stay_silent() { return nullptr; }

template <size_t... I>
void fill_with_traps(Table& table, std::index_sequence<I...>) {
  ((table.slots[I] = I < kSlots && !kReturnsStatus[I < kSlots ? I : 0] ? reinterpret_cast<void*>(&stay_silent)
                                                                       : reinterpret_cast<void*>(&refuse<I>)),
   ...);
}

const Table* make_table() {
  auto* table = new Table;
  fill_with_traps(*table, std::make_index_sequence<kTableSize>{});
  for (const auto offer_all : {offer_status, offer_key_values, offer_memory, offer_values, offer_sequences,
                               offer_strings, offer_types, offer_attributes, offer_kernel_info, offer_kernel_context,
                               offer_shape_inference, offer_registration, offer_logger, offer_operations})
    offer_all(*table);
  std::ranges::sort(table->offered);
  return table;
}

thread_local uint32_t refused = 0;

const void* get_api(uint32_t version) {
  const bool known = version >= 1 && version <= kNewestApi;
  refused = known ? 0 : version;
  return known ? table().slots.data() : nullptr;
}

const char* version_string() { return kVersionString; }

}  // namespace

const Table& table() {
  static const Table* const made = make_table();
  return *made;
}

const ApiBase& api_base() {
  static const auto* const base = new ApiBase{get_api, version_string};
  return *base;
}

uint32_t refused_version() { return refused; }
void forget_refused_version() { refused = 0; }

}  // namespace ort_ops
