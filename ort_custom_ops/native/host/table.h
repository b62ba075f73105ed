// The table of functions that a library calls: `offer` puts one in its slot, every other slot answers that it is not
// there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "host/foreign.h"
#include "host/handle.h"
#include "host/status.h"
#include "host/translation.h"

namespace ort_ops {

inline constexpr std::string_view kSlotNames[] = {
#define ORT_SLOT(name, returns) #name,
#include "host/slots.inc"
#undef ORT_SLOT
};
constexpr size_t kSlots = std::size(kSlotNames);
/// Room for slots of versions that we do not know.
constexpr size_t kTableSize = 512;

struct Table {
  std::array<void*, kTableSize> slots;
  std::vector<size_t> offered;
};

/// The one table. It lives as long as the process, like everything that libraries may keep.
const Table& table();

const ApiBase& api_base();

/// The version that the last call of `GetApi` on this thread asked for and did not get; 0 if it got it.
uint32_t refused_version();
void forget_refused_version();

template <size_t N>
struct SlotName {
  char text[N];
  consteval SlotName(const char (&name)[N]) { std::copy_n(name, N, text); }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

consteval size_t slot_index(std::string_view name) {
  for (size_t i = 0; i < kSlots; ++i)
    if (kSlotNames[i] == name) return i;
  throw "the table has no slot of that name";
}

template <class R>
R answer_error(size_t slot, const char* problem) {
  if constexpr (std::is_same_v<R, Status*>)
    return make_status(Code::invalid_argument, std::string(kSlotNames[slot]) + ": " + problem);
  else if constexpr (!std::is_void_v<R>) return R();
}

template <size_t I, auto F>
struct Slot;

/// What stands before every function: a missing object is an error, a call with one of another runtime goes there, and
/// no exception leaves the library.
template <size_t I, class R, class... A, R (*F)(A...)>
struct Slot<I, F> {
  static R call(A... args) {
    if constexpr (sizeof...(A) > 0) {
      if constexpr (std::is_pointer_v<std::tuple_element_t<0, std::tuple<A...>>>)
        if (std::get<0>(std::tuple<A...>(args...)) == nullptr) return answer_error<R>(I, "its first argument is null");
      if ((is_foreign(args) || ...)) [[unlikely]] {
        if (void* other = foreign_slot(I)) return reinterpret_cast<R (*)(A...)>(other)(Translated<A>(args).get()...);
        return answer_error<R>(I, "an argument is of another runtime, or was released");
      }
    }
    if constexpr (std::is_same_v<R, Status*>) {
      try {
        return F(args...);
      } catch (...) {
        return status_of_exception();
      }
    } else {
      return F(args...);
    }
  }
};

template <SlotName Name, auto F>
void offer(Table& table) {
  constexpr size_t index = slot_index(Name.view());
  table.slots[index] = reinterpret_cast<void*>(&Slot<index, F>::call);
  table.offered.push_back(index);
}

/// What each file brings.
void offer_status(Table&);
void offer_key_values(Table&);
void offer_memory(Table&);
void offer_values(Table&);
void offer_sequences(Table&);
void offer_strings(Table&);
void offer_types(Table&);
void offer_attributes(Table&);
void offer_kernel_info(Table&);
void offer_kernel_context(Table&);
void offer_shape_inference(Table&);
void offer_registration(Table&);
void offer_logger(Table&);
void offer_operations(Table&);

}  // namespace ort_ops
