#include "host/registration.h"

#include "host/attributes.h"
#include "host/key_values.h"
#include "host/table.h"

namespace ort_ops {

namespace {

Status* create_domain(const char* name, Domain** out) {
  auto* domain = new Domain;
  domain->name = name;
  *out = domain;
  return nullptr;
}

/// Libraries release their domains whenever they like (many in static destructors), while the operators stay in use: a
/// domain lives as long as the process.
void release_domain(Domain*) {}

Status* add_op(Domain* domain, const CustomOp* op) {
  if (op == nullptr) return make_status(Code::invalid_argument, "the operator is null");
  domain->ops.push_back(op);
  return nullptr;
}

Status* add_domain(Registry* registry, Domain* domain) {
  if (domain == nullptr) return make_status(Code::invalid_argument, "the domain is null");
  registry->domains.push_back(domain);
  return nullptr;
}

Status* add_entry(Registry* registry, const char* key, const char* value) {
  registry->config[key] = value;
  return nullptr;
}

Status* has_entry(const Registry* registry, const char* key, int32_t* out) {
  *out = registry->config.contains(key);
  return nullptr;
}

Status* get_entry(const Registry* registry, const char* key, char* value, size_t* size) {
  const auto found = registry->config.find(key);
  if (found == registry->config.end())
    return make_status(Code::invalid_argument, "there is no configuration entry '" + std::string(key) + "'");
  return copy_string(found->second, value, size);
}

Status* get_entries(const Registry* registry, KeyValues** out) {
  *out = new KeyValues(registry->config);
  return nullptr;
}

const char* build_info() { return "ort-core"; }

}  // namespace

void offer_registration(Table& table) {
  offer<"CreateCustomOpDomain", create_domain>(table);
  offer<"ReleaseCustomOpDomain", release_domain>(table);
  offer<"CustomOpDomain_Add", add_op>(table);
  offer<"AddCustomOpDomain", add_domain>(table);
  offer<"AddSessionConfigEntry", add_entry>(table);
  offer<"HasSessionConfigEntry", has_entry>(table);
  offer<"GetSessionConfigEntry", get_entry>(table);
  offer<"GetSessionOptionsConfigEntries", get_entries>(table);
  offer<"GetBuildInfoString", build_info>(table);
}

}  // namespace ort_ops
