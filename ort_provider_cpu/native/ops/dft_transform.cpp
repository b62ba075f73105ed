// `DftTransform`: the discrete Fourier transform of one length, planned once.
#include "ops/dft_transform.h"

#include <algorithm>
#include <cmath>

namespace ort_cpu {
namespace {

constexpr int64_t kMostFactor = 31;

std::complex<double> root(int64_t k, int64_t n) {
  const double angle = -2 * 3.14159265358979323846 * static_cast<double>(k) / static_cast<double>(n);
  return {std::cos(angle), std::sin(angle)};
}

/// a * b without the treatment of infinities that the operator of std::complex has.
std::complex<double> times(std::complex<double> a, std::complex<double> b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

}  // namespace

DftTransform::DftTransform(int64_t length) : length_(length) {
  int64_t rest = length;
  for (int64_t factor : {4, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31})
    for (; rest % factor == 0; rest /= factor) factors_.push_back(factor);
  if (rest == 1) {
    most_factor_ = std::max<int64_t>(4, kMostFactor + 1);
    roots_.resize(static_cast<size_t>(length));
    for (int64_t k = 0; k < length; ++k) roots_[k] = root(k, length);
    return;
  }
  factors_.clear();
  int64_t padded = 1;
  while (padded < 2 * length - 1) padded *= 2;
  convolution_ = std::make_shared<const DftTransform>(padded);
  chirp_.resize(static_cast<size_t>(length));
  std::vector<Complex> kernel(static_cast<size_t>(padded)), scratch(static_cast<size_t>(convolution_->scratch_size()));
  int64_t square = 0;
  for (int64_t k = 0; k < length; ++k) {
    // k^2 modulo 2 N, which keeps the angle small.
    chirp_[k] = root(square, 2 * length);
    kernel[k] = std::conj(chirp_[k]);
    if (k > 0) kernel[padded - k] = kernel[k];
    square = (square + 2 * k + 1) % (2 * length);
  }
  chirp_spectrum_.resize(kernel.size());
  convolution_->run(kernel.data(), chirp_spectrum_.data(), scratch.data());
}

void DftTransform::run(const Complex* in, Complex* out, Complex* scratch) const {
  if (convolution_ != nullptr) return convolve(in, out, scratch);
  split(in, 1, out, length_, 0, scratch);
}

void DftTransform::split(const Complex* in, int64_t stride, Complex* out, int64_t n, size_t level,
                         Complex* scratch) const {
  if (n == 1) {
    *out = *in;
    return;
  }
  const int64_t radix = factors_[level], m = n / radix, step = length_ / n;
  for (int64_t r = 0; r < radix; ++r) split(in + r * stride, stride * radix, out + r * m, m, level + 1, scratch);
  for (int64_t j = 0; j < m; ++j) {
    Complex* at = out + j;
    if (radix == 2) {
      const Complex a = at[0], b = times(at[m], roots_[j * step]);
      at[0] = a + b, at[m] = a - b;
    } else if (radix == 4) {
      const Complex a = at[0], b = times(at[m], roots_[j * step]), c = times(at[2 * m], roots_[2 * j * step]),
                    d = times(at[3 * m], roots_[3 * j * step]);
      const Complex sum = b + d, difference = {(b - d).imag(), -(b - d).real()};
      at[0] = (a + c) + sum, at[2 * m] = (a + c) - sum;
      at[m] = (a - c) + difference, at[3 * m] = (a - c) - difference;
    } else {
      for (int64_t r = 0; r < radix; ++r) scratch[r] = times(at[r * m], roots_[r * j * step]);
      for (int64_t k = 0; k < radix; ++k) {
        Complex total = scratch[0];
        for (int64_t r = 1; r < radix; ++r) total += times(scratch[r], roots_[r * k % radix * m * step]);
        at[k * m] = total;
      }
    }
  }
}

void DftTransform::convolve(const Complex* in, Complex* out, Complex* scratch) const {
  const int64_t padded = convolution_->length_;
  Complex *signal = scratch, *spectrum = scratch + padded, *rest = scratch + 2 * padded;
  for (int64_t k = 0; k < length_; ++k) signal[k] = times(in[k], chirp_[k]);
  std::fill(signal + length_, signal + padded, Complex{});
  convolution_->run(signal, spectrum, rest);
  // The inverse transform is the forward one of the conjugate, conjugated.
  for (int64_t k = 0; k < padded; ++k) spectrum[k] = std::conj(times(spectrum[k], chirp_spectrum_[k]));
  convolution_->run(spectrum, signal, rest);
  for (int64_t k = 0; k < length_; ++k) out[k] = times(std::conj(signal[k]) / static_cast<double>(padded), chirp_[k]);
}

}  // namespace ort_cpu
