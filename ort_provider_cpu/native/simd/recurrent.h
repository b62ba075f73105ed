// The inner loops of recurrent layers on float32: products with packed panels, and the gates of LSTM, GRU and RNN.
//
// Units come in groups of 16. A panel holds `groups` <= 4 groups of 16 columns: [k][groups * 16].
#pragma once

#include "simd/isa.h"

namespace ort_cpu::simd {

/// The 16 units of one group in one row of the batch. Pointers are to 16 floats, gate after gate where there are
/// several.
struct LstmCell {
  const float* recurrent;     // [4][16]: i, o, f, c
  const float* projected;     // [4][16], added to `recurrent`
  const float* peepholes[3];  // i, o, f; all null: none
  float* c;                   // read and overwritten
  float* h;                   // written
  float clip;                 // bound of what enters the gates; infinity: none
  bool input_forget;          // f = 1 - i
};

struct GruCell {
  const float* recurrent;       // [3][16]: z, r, h
  const float* projected;       // [3][16]
  const float* recurrent_bias;  // of h
  const float* h_before;
  float* h;  // written
  float clip;
};

/// The first half of a GRU that resets before its product.
struct GruReset {
  const float* recurrent;  // [2][16]: z, r
  const float* projected;  // [2][16]
  const float* h_before;
  float* z;        // written
  float* reset_h;  // written: r * h_before
  float clip;
};

/// The second half.
struct GruUpdate {
  const float* recurrent;  // [16]: h
  const float* projected;  // [16]
  const float* z;
  const float* h_before;
  float* h;  // written
  float clip;
};

struct RecurrentTable {
  /// out[m][j] = bias[j] + sum over k of a[m][k] * panel[k][j], j < groups * 16; `bias` may be null.
  void (*product)(float* out, int64_t out_stride, const float* bias, const float* a, int64_t a_stride, int64_t m,
                  int64_t k, const float* panel, int groups);
  void (*lstm)(const LstmCell& cell);
  void (*gru)(const GruCell& cell);
  void (*gru_reset)(const GruReset& cell);
  void (*gru_update)(const GruUpdate& cell);
  /// h = tanh(recurrent + projected), 16 units.
  void (*rnn)(const float* recurrent, const float* projected, float* h, float clip);
};

}  // namespace ort_cpu::simd

ORT_CPU_TABLE(RecurrentTable, recurrent_table)
