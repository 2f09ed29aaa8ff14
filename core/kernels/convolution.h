// Loops of convolutions over planes. Every convolution is made one of stride 1 over planes: the input is copied into
// scratch with its borders, a plane for each residue of the stride, and the images of a block one behind the other.
// An output row then has the pitch of a plane's row, so that all outputs of a block are one run (a few between the rows
// are computed for nothing) and each tap of the kernel is the same run at a fixed distance.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace lumbre {

// How planes show an image: along each of three dimensions, index i of phase f lies over position
// start[f] + i * step of the image; what lies outside of the image is zero.
struct PlaneLayout {
  int64_t image[3];  // sizes of the image
  int64_t plane[3];  // sizes of a plane
  int64_t step[3];
  const int64_t* start[3];  // by phase
  int64_t phases[3];        // how many
  int64_t images;           // of a block; scratch is (channel, phase, image, plane)
  int64_t gap;              // zeros behind each channel
  int64_t plane_size() const { return plane[0] * plane[1] * plane[2]; }
  int64_t phase_pitch() const { return images * plane_size(); }
  int64_t channel_pitch() const { return phases[0] * phases[1] * phases[2] * phase_pitch() + gap; }
};

// Scratch <- channels of `count` images (at most layout.images; the places of the others are zeroed).
using PackPlanes = void (*)(const PlaneLayout& layout, const void* image, int64_t image_stride, int64_t channel_stride,
                            int64_t channels, int64_t count, void* scratch);

// sums[r][i] = bias[r] + the sum over taps t of weights[t][r] * planes[offsets[t] + i], for i < run rounded up to whole
// vectors; rows of `sums` are `pitch` apart. Weights are packed tap by tap, `rows` together.
using MultiplyPlanes = void (*)(const void* planes, const int64_t* offsets, int64_t taps, const void* weights, int rows,
                                const void* bias, int64_t run, void* sums, int64_t pitch);

// target[r * pitch + c] += the sum over i < run of rows[r * row_pitch + i] * planes[offsets[c] + i].
using CorrelatePlanes = void (*)(const void* rows, int64_t row_pitch, int64_t row_count, const void* planes,
                                 const int64_t* offsets, int64_t columns, int64_t run, void* target, int64_t pitch);

// Where results of a run go: `count` outputs along each dimension, `from` apart in the run and `to` apart in the image.
struct PlaneResult {
  int64_t count[3];
  int64_t from[3];
  int64_t to[3];
};
using UnpackPlanes = void (*)(const PlaneResult& result, const void* sums, void* image);

struct ConvolutionLoops {
  PackPlanes pack;
  MultiplyPlanes multiply;
  CorrelatePlanes correlate;
  UnpackPlanes unpack;
  int row_block;    // rows of weights that are multiplied together
  int64_t overrun;  // elements that loops may touch behind a run
};

// By dtype: int64, float32 and float64 have entries.
struct ConvolutionTable {
  ConvolutionLoops loops[kDTypeCount];
};

const ConvolutionTable& convolution_table();

}  // namespace lumbre
