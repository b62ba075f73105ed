// `DftTransform`: the discrete Fourier transform of one length, planned once.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <vector>

namespace ort_cpu {

/// y[k] = sum over n of exp(-2 pi i k n / N) x[n], in double precision, for any N >= 1.
///
/// Small factors are split off one after another; a length with a large prime factor becomes a convolution whose length
/// is a power of two (Bluestein).
class DftTransform {
 public:
  using Complex = std::complex<double>;

  explicit DftTransform(int64_t length);

  int64_t length() const { return length_; }
  /// Elements of scratch memory that `run` needs.
  int64_t scratch_size() const {
    return convolution_ == nullptr ? most_factor_ : 2 * convolution_->length_ + most_factor_;
  }
  /// Transforms `length` elements; `in` and `out` must not overlap.
  void run(const Complex* in, Complex* out, Complex* scratch) const;

 private:
  void split(const Complex* in, int64_t stride, Complex* out, int64_t n, size_t level, Complex* scratch) const;
  void convolve(const Complex* in, Complex* out, Complex* scratch) const;

  int64_t length_;
  int64_t most_factor_ = 8;
  std::vector<int64_t> factors_;
  std::vector<Complex> roots_;  // exp(-2 pi i k / N)

  std::shared_ptr<const DftTransform> convolution_;
  std::vector<Complex> chirp_, chirp_spectrum_;
};

}  // namespace ort_cpu
