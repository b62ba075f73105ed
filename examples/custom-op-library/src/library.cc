// The entry point that a runtime calls once for each SessionOptions it registers this library with.
#include <memory>
#include <mutex>
#include <vector>

#include "operators.h"

#ifdef _WIN32
#define LIBRARY_EXPORT __declspec(dllexport)
#else
#define LIBRARY_EXPORT __attribute__((visibility("default")))
#endif

namespace {

constexpr const char* kDomain = "com.example.text_and_sampling";

// A domain belongs to the runtime that asked for it and must outlive its sessions: none is given up before the end.
Ort::CustomOpDomain& keep(Ort::CustomOpDomain domain) {
  static std::mutex mutex;
  static std::vector<std::unique_ptr<Ort::CustomOpDomain>> domains;
  const std::scoped_lock lock(mutex);
  return *domains.emplace_back(std::make_unique<Ort::CustomOpDomain>(std::move(domain)));
}

}  // namespace

extern "C" LIBRARY_EXPORT OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options,
                                                                    const OrtApiBase* base) {
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    const std::string message = "text_and_sampling_ops was built for API version " + std::to_string(ORT_API_VERSION) +
                                ", which runtime " + base->GetVersionString() + " does not have";
    return base->GetApi(1)->CreateStatus(ORT_NOT_IMPLEMENTED, message.c_str());
  }
  Ort::InitApi(api);
  try {
    Ort::CustomOpDomain domain{kDomain};
    text_and_sampling::add_format_rows(domain);
    text_and_sampling::add_fused_scale_bias(domain);
    text_and_sampling::add_pad_ragged(domain);
    text_and_sampling::add_run_lengths(domain);
    text_and_sampling::add_top_p_mask(domain);
    text_and_sampling::add_variadic(domain);
    text_and_sampling::add_words(domain);
    Ort::UnownedSessionOptions{options}.Add(keep(std::move(domain)));
  } catch (const std::exception& error) {
    return Ort::Status{error}.release();
  }
  return nullptr;
}
