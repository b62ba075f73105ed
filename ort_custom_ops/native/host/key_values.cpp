#include "host/key_values.h"

#include "host/table.h"

namespace ort_ops {

void KeyValues::refresh() {
  keys_.clear();
  values_.clear();
  for (const auto& [key, value] : entries_) {
    keys_.push_back(key.c_str());
    values_.push_back(value.c_str());
  }
}

void KeyValues::set(const char* key, const char* value) {
  if (key == nullptr || *key == '\0') return;
  entries_[key] = value == nullptr ? "" : value;
  refresh();
}

void KeyValues::remove(const char* key) {
  if (key != nullptr && entries_.erase(key) > 0) refresh();
}

const char* KeyValues::find(const char* key) const {
  const auto found = key == nullptr ? entries_.end() : entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.c_str();
}

namespace {
void create(KeyValues** out) { *out = new KeyValues; }
void add(KeyValues* list, const char* key, const char* value) { list->set(key, value); }
const char* get(const KeyValues* list, const char* key) { return list->find(key); }
void get_all(const KeyValues* list, const char* const** keys, const char* const** values, size_t* count) {
  *keys = list->keys();
  *values = list->values();
  *count = list->size();
}
void remove(KeyValues* list, const char* key) { list->remove(key); }
void release(KeyValues* list) { delete list; }
}  // namespace

void offer_key_values(Table& table) {
  offer<"CreateKeyValuePairs", create>(table);
  offer<"AddKeyValuePair", add>(table);
  offer<"GetKeyValue", get>(table);
  offer<"GetKeyValuePairs", get_all>(table);
  offer<"RemoveKeyValuePair", remove>(table);
  offer<"ReleaseKeyValuePairs", release>(table);
}

}  // namespace ort_ops
