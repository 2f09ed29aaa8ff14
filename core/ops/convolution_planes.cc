// The three products of convolutions, on the loops of core/kernels/convolution.h.
#include <memory>
#include <vector>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/convolution.h"
#include "ops/convolution.h"
#include "ops/gemm.h"

namespace lumbre::ops {
namespace {

// Multiplications that are worth a chunk of their own, and those from which the interpreter lock is let go.
constexpr double kChunkWork = 1e6, kLongConvolution = 1e7;
// Outputs of a block of images: enough that loops over runs are long.
constexpr int64_t kRunTarget = 768;

// Planes along one dimension, and the taps that lie over each.
struct Axis {
  std::vector<int64_t> start;  // by phase
  int64_t step = 1, length = 1;
};

struct Tap {
  int64_t index;          // in the kernel
  int64_t phase, offset;  // of the plane, and in it
};

// Results every `step` from `first`: what one set of taps computes.
struct AxisPart {
  std::vector<Tap> taps;
  int64_t first = 0, step = 1, count = 1;
};

// Forward, along one dimension: a plane for each residue of k * dilation by the stride.
AxisPart forward_axis(const Convolution& c, int d, Axis& axis) {
  AxisPart part{{}, 0, 1, c.out[d]};
  int64_t furthest = 0;
  for (int64_t k = 0; k < c.kernel[d]; ++k) {
    const int64_t at = checked_multiply(k, c.dilation[d]);
    const int64_t start = at % c.stride[d] - c.padding[d];
    const auto found = std::find(axis.start.begin(), axis.start.end(), start);
    const int64_t phase = found - axis.start.begin();
    if (found == axis.start.end()) axis.start.push_back(start);
    part.taps.push_back({k, phase, at / c.stride[d]});
    furthest = std::max(furthest, at / c.stride[d]);
  }
  axis.step = c.stride[d];
  axis.length = checked_add(c.out[d], furthest);
  return part;
}

// Transposed: one plane; the results at each residue by the stride have taps of their own.
std::vector<AxisPart> transposed_axis(const Convolution& c, int d, Axis& axis) {
  const int64_t s = c.stride[d];
  std::vector<AxisPart> parts;
  int64_t low = 0, high = 0;
  bool any = false;
  for (int64_t r = 0; r < std::min(s, c.in[d]); ++r) {  // x = r, r + s, ...
    AxisPart part{{}, r, s, (c.in[d] - r + s - 1) / s};
    for (int64_t k = 0; k < c.kernel[d]; ++k) {
      const int64_t over = checked_add(checked_add(r, c.padding[d]), -checked_multiply(k, c.dilation[d]));
      if (over % s != 0) continue;
      const int64_t y = over / s;  // the y under x = r
      part.taps.push_back({k, 0, y});
      low = any ? std::min(low, y) : y;
      high = any ? std::max(high, y + part.count) : y + part.count;
      any = true;
    }
    high = any ? high : 0;
    parts.push_back(std::move(part));
  }
  int64_t longest = 1;
  for (AxisPart& part : parts) {
    for (Tap& tap : part.taps) tap.offset -= low;
    longest = std::max(longest, part.count);
  }
  axis.start = {low};
  axis.length = std::max(longest, high - low);
  return parts;
}

int64_t images_of_block(int64_t n, int64_t plane) {
  return std::clamp<int64_t>(kRunTarget / std::max<int64_t>(plane, 1), 1, std::max<int64_t>(n, 1));
}

PlaneLayout layout_of(const Convolution::Sizes& image, const Axis (&axes)[3], int64_t n) {
  PlaneLayout layout{};
  for (int d = 0; d < 3; ++d) {
    layout.image[d] = image[static_cast<size_t>(d)];
    layout.plane[d] = axes[d].length;
    layout.step[d] = axes[d].step;
    layout.start[d] = axes[d].start.data();
    layout.phases[d] = static_cast<int64_t>(axes[d].start.size());
  }
  const int64_t plane = checked_multiply(checked_multiply(axes[0].length, axes[1].length), axes[2].length);
  layout.images = images_of_block(n, plane);
  checked_multiply(checked_multiply(plane, layout.images), layout.phases[0] * layout.phases[1] * layout.phases[2]);
  return layout;
}

// As many images as cost least, in multiplications of a vector for a row of weights: the more there are, the fewer
// vectors are partly filled and the fewer blocks are begun, but what is computed between images is for nothing. Fewer
// than three vectors wait for the weights as long as three.
void choose_images(PlaneLayout& l, const AxisPart* const (&axes)[3], double taps, int64_t element_size) {
  constexpr double kBegin = 300;  // fitted to 8 channels of 14 x 14: what a block costs beside
  const int64_t pitch[3] = {l.plane[1] * l.plane[2], l.plane[2], 1}, lanes = 64 / element_size;
  int64_t run = 1, best = 1;
  for (int d = 0; d < 3; ++d) run += (axes[d]->count - 1) * pitch[d];
  const auto cost = [&](int64_t images) {
    const int64_t vectors = std::max<int64_t>(3, divide_up(run + (images - 1) * l.plane_size(), lanes));
    return (static_cast<double>(vectors) * taps + kBegin) / static_cast<double>(images);
  };
  for (int64_t images = 2; images <= l.images; ++images)
    if (cost(images) < cost(best)) best = images;
  l.images = best;
}

// Distances in scratch from a channel's start.
std::vector<int64_t> tap_offsets(const PlaneLayout& l, const std::vector<Tap> (&taps)[3]) {
  std::vector<int64_t> offsets;
  for (const Tap& d : taps[0])
    for (const Tap& h : taps[1])
      for (const Tap& w : taps[2]) {
        const int64_t phase = (d.phase * l.phases[1] + h.phase) * l.phases[2] + w.phase;
        offsets.push_back(phase * l.phase_pitch() + (d.offset * l.plane[1] + h.offset) * l.plane[2] + w.offset);
      }
  return offsets;
}

std::vector<int64_t> tap_indices(const Convolution& c, const std::vector<Tap> (&taps)[3]) {
  std::vector<int64_t> indices;
  for (const Tap& d : taps[0])
    for (const Tap& h : taps[1])
      for (const Tap& w : taps[2]) indices.push_back((d.index * c.kernel[1] + h.index) * c.kernel[2] + w.index);
  return indices;
}

// Offsets of every channel of a group.
std::vector<int64_t> with_channels(const std::vector<int64_t>& taps, int64_t channels, int64_t pitch) {
  std::vector<int64_t> all;
  all.reserve(taps.size() * static_cast<size_t>(channels));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t offset : taps) all.push_back(c * pitch + offset);
  return all;
}

// The outputs that one set of taps computes, of the three dimensions together.
struct Part {
  std::vector<int64_t> offsets;  // by (channel, tap)
  std::vector<int64_t> indices;  // by tap
  PlaneResult result;
  int64_t first;    // result's place in its image
  int64_t run;      // outputs of one image, those between the rows counted
  int64_t weights;  // elements before this part's in the packed weights
};

Part part_of(const Convolution& c, const PlaneLayout& l, const AxisPart* const (&axes)[3],
             const Convolution::Sizes& image, int64_t channels) {
  Part part{};
  const std::vector<Tap> taps[3] = {axes[0]->taps, axes[1]->taps, axes[2]->taps};
  part.offsets = with_channels(tap_offsets(l, taps), channels, l.channel_pitch());
  part.indices = tap_indices(c, taps);
  const int64_t from[3] = {l.plane[1] * l.plane[2], l.plane[2], 1}, to[3] = {image[1] * image[2], image[2], 1};
  part.run = 1;
  for (int d = 0; d < 3; ++d) {
    part.result.count[d] = axes[d]->count;
    part.result.from[d] = from[d];
    part.result.to[d] = to[d] * axes[d]->step;
    part.first += to[d] * axes[d]->first;
    part.run += (axes[d]->count - 1) * from[d];
  }
  return part;
}

// A product of weights with planes: "rows" are channels of the result, "channels" those of the source.
struct Product {
  PlaneLayout layout;
  std::vector<Part> parts;
  int64_t n, groups, rows, channels;                 // of a group
  int64_t source_image, result_image;                // elements of one channel
  int64_t row_stride, channel_stride, group_stride;  // of the weights
};

template <class T>
class Multiplier {
 public:
  Multiplier(Product& p, DType dtype, const T* source, const T* w, const T* bias, T* result)
      : p_(p),
        loops_(convolution_table().loops[static_cast<int>(dtype)]),
        source_(source),
        w_(w),
        bias_(bias),
        result_(result),
        row_blocks_(divide_up(p.rows, loops_.row_block)),
        packed_(pack_size(p)) {}

  void run(double work) {
    const LongWork released(work >= kLongConvolution);
    pack_weights();
    const int64_t blocks = divide_up(p_.n, p_.layout.images);
    const int64_t units = p_.groups * row_blocks_;
    // Few images: their channels are split too, and each part packs the planes for itself.
    const int64_t splits =
        work < 4 * kChunkWork ? 1 : std::min(units, std::max<int64_t>(1, 4 / std::max<int64_t>(blocks, 1)));
    const double each = work / static_cast<double>(std::max<int64_t>(blocks * splits, 1));
    const auto grain = std::max<int64_t>(1, static_cast<int64_t>(std::min(kChunkWork / std::max(each, 1.0), 1e6)));
    parallel_for(blocks * splits, grain, [&](int64_t begin, int64_t end) {
      const int64_t longest = longest_run();
      const int64_t pitch = longest + loops_.overrun;
      const Scratch planes(
          bytes(checked_add(checked_multiply(p_.channels, p_.layout.channel_pitch()), loops_.overrun)));
      const Scratch sums(bytes(checked_multiply(pitch, loops_.row_block)));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t split = i % splits;
        block(i / splits, units * split / splits, units * (split + 1) / splits, planes, sums, pitch);
      }
    });
  }

 private:
  static int64_t bytes(int64_t count) { return checked_multiply(count, static_cast<int64_t>(sizeof(T))); }
  static int64_t pack_size(Product& p) {
    int64_t total = 0;
    for (Part& part : p.parts) {
      part.weights = total;
      total += p.groups * p.rows * p.channels * static_cast<int64_t>(part.indices.size());
    }
    return bytes(total);
  }
  int64_t longest_run() const {
    int64_t longest = 0;
    for (const Part& part : p_.parts) longest = std::max(longest, part.run);
    return longest + (p_.layout.images - 1) * p_.layout.plane_size();
  }
  T* packed() const { return packed_.as<T>(); }

  // By part, group and block of rows: (channel, tap, row).
  void pack_weights() {
    T* out = packed();
    for (const Part& part : p_.parts)
      for (int64_t g = 0; g < p_.groups; ++g)
        for (int64_t first = 0; first < p_.rows; first += loops_.row_block) {
          const int64_t rows = std::min<int64_t>(loops_.row_block, p_.rows - first);
          for (int64_t c = 0; c < p_.channels; ++c)
            for (const int64_t tap : part.indices) {
              const T* from = w_ + g * p_.group_stride + first * p_.row_stride + c * p_.channel_stride + tap;
              for (int64_t r = 0; r < rows; ++r) *out++ = from[r * p_.row_stride];
            }
        }
  }

  void block(int64_t index, int64_t begin, int64_t end, const Scratch& planes, const Scratch& sums, int64_t pitch) {
    const int64_t first = index * p_.layout.images;
    const int64_t count = std::min(p_.layout.images, p_.n - first);
    const int64_t source_stride = p_.groups * p_.channels * p_.source_image;
    int64_t packed_group = -1;
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t group = unit / row_blocks_;
      if (group != packed_group) {
        loops_.pack(p_.layout, source_ + first * source_stride + group * p_.channels * p_.source_image, source_stride,
                    p_.source_image, p_.channels, count, planes.as());
        packed_group = group;
      }
      multiply(first, count, group, unit % row_blocks_ * loops_.row_block, planes, sums.as<T>(), pitch);
    }
  }

  void multiply(int64_t first, int64_t count, int64_t group, int64_t row, const Scratch& planes, T* sums,
                int64_t pitch) {
    const int64_t rows = std::min<int64_t>(loops_.row_block, p_.rows - row);
    const int64_t channel = group * p_.rows + row, plane = p_.layout.plane_size();
    for (const Part& part : p_.parts) {
      const auto taps = static_cast<int64_t>(part.offsets.size());
      const T* weights = packed() + part.weights + channel * taps;
      loops_.multiply(planes.as(), part.offsets.data(), taps, weights, static_cast<int>(rows),
                      bias_ ? bias_ + channel : nullptr, part.run + (count - 1) * plane, sums, pitch);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t r = 0; r < rows; ++r)
          loops_.unpack(part.result, sums + r * pitch + i * plane,
                        result_ + ((first + i) * p_.groups * p_.rows + channel + r) * p_.result_image + part.first);
    }
  }

  Product& p_;
  const ConvolutionLoops& loops_;
  const T *source_, *w_, *bias_;
  T* result_;
  int64_t row_blocks_;
  Scratch packed_;
};

template <class F>
void visit_computed(DType dtype, F&& f) {
  if (dtype == DType::Float32) return f(float{});
  if (dtype == DType::Float64) return f(double{});
  LB_CHECK(dtype == DType::Int64, Runtime, "convolutions are computed in int64, float32 and float64");
  f(int64_t{});
}

// A matrix product for each image: kernels of one element, of many channels.
template <class T>
bool is_matrix_product(const Convolution& c) {
  const Convolution::Sizes ones{1, 1, 1}, zeros{0, 0, 0};
  return std::is_floating_point_v<T> && c.kernel == ones && c.stride == ones && c.padding == zeros && c.in == c.out &&
         c.in_channels / c.groups >= 32 && c.out_channels / c.groups >= 16;
}

// result (rows x area) = op(w) source (columns x area), by image and group.
template <class T>
void multiply_matrices(const Convolution& c, bool transposed, const T* source, const T* w, const T* bias, T* result) {
  if constexpr (std::is_floating_point_v<T>) {
    const int64_t area = Convolution::product(c.in), outs = c.out_channels / c.groups, ins = c.in_channels / c.groups;
    const int64_t rows = transposed ? ins : outs, columns = transposed ? outs : ins;
    const LongWork released(c.work() >= kLongConvolution);
    parallel_for(c.n, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t g = 0; g < c.groups; ++g) {
          T* to = result + (i * c.groups + g) * rows * area;
          if (bias)
            for (int64_t r = 0; r < rows; ++r) std::fill_n(to + r * area, area, bias[g * rows + r]);
          gemm<T>(rows, area, columns, T(1), w + g * outs * ins,
                  transposed ? MatrixLayout{1, ins} : MatrixLayout{ins, 1},
                  source + (i * c.groups + g) * columns * area, {area, 1}, bias ? T(1) : T(0), to, area);
        }
    });
  }
}

}  // namespace

void convolve(const Convolution& c, DType dtype, const void* x, const void* w, const void* bias, void* y) {
  if (c.n == 0 || c.out_channels == 0 || Convolution::product(c.out) == 0) return;
  visit_computed(dtype, [&]<class T>(T) {
    const T *from = static_cast<const T*>(x), *weights = static_cast<const T*>(w), *shift = static_cast<const T*>(bias);
    if (is_matrix_product<T>(c)) return multiply_matrices<T>(c, false, from, weights, shift, static_cast<T*>(y));
    Axis axes[3];
    AxisPart along[3];
    for (int d = 0; d < 3; ++d) along[d] = forward_axis(c, d, axes[d]);
    Product p{layout_of(c.in, axes, c.n),
              {},
              c.n,
              c.groups,
              c.out_channels / c.groups,
              c.in_channels / c.groups,
              Convolution::product(c.in),
              Convolution::product(c.out),
              0,
              0,
              0};
    p.channel_stride = c.taps();
    p.row_stride = p.channels * p.channel_stride;
    p.group_stride = p.rows * p.row_stride;
    const AxisPart* const one[3] = {&along[0], &along[1], &along[2]};
    choose_images(p.layout, one, static_cast<double>(p.channels) * static_cast<double>(c.taps()), sizeof(T));
    p.parts.push_back(part_of(c, p.layout, one, c.out, p.channels));
    Multiplier<T>(p, dtype, from, weights, shift, static_cast<T*>(y)).run(c.work());
  });
}

void convolve_transposed(const Convolution& c, DType dtype, const void* y, const void* w, const void* bias, void* x) {
  if (c.n == 0 || c.in_channels == 0 || Convolution::product(c.in) == 0) return;
  visit_computed(dtype, [&]<class T>(T) {
    const T *from = static_cast<const T*>(y), *weights = static_cast<const T*>(w), *shift = static_cast<const T*>(bias);
    if (is_matrix_product<T>(c)) return multiply_matrices<T>(c, true, from, weights, shift, static_cast<T*>(x));
    Axis axes[3];
    std::vector<AxisPart> along[3];
    for (int d = 0; d < 3; ++d) along[d] = transposed_axis(c, d, axes[d]);
    Product p{layout_of(c.out, axes, c.n),
              {},
              c.n,
              c.groups,
              c.in_channels / c.groups,
              c.out_channels / c.groups,
              Convolution::product(c.out),
              Convolution::product(c.in),
              0,
              0,
              0};
    p.row_stride = c.taps();
    p.channel_stride = p.rows * p.row_stride;
    p.group_stride = p.channels * p.channel_stride;
    choose_images(p.layout, {&along[0][0], &along[1][0], &along[2][0]},
                  static_cast<double>(p.channels) * static_cast<double>(c.taps()), sizeof(T));
    for (const AxisPart& d : along[0])
      for (const AxisPart& h : along[1])
        for (const AxisPart& v : along[2]) {
          const AxisPart* const axis[3] = {&d, &h, &v};
          p.parts.push_back(part_of(c, p.layout, axis, c.in, p.channels));
        }
    Multiplier<T>(p, dtype, from, weights, shift, static_cast<T*>(x)).run(c.work());
  });
}

namespace {

// The sums of a chunk of images, over planes of x and rows of y that have their pitch.
template <class T>
void correlate_images(const Convolution& c, const ConvolutionLoops& loops, const PlaneLayout& x_layout,
                      const PlaneLayout& y_layout, const std::vector<int64_t>& offsets, int64_t run, const T* x,
                      const T* y, int64_t begin, int64_t end, T* w) {
  const int64_t ins = c.in_channels / c.groups, outs = c.out_channels / c.groups;
  const int64_t x_image = Convolution::product(c.in), y_image = Convolution::product(c.out);
  const auto columns = static_cast<int64_t>(offsets.size());
  const int64_t x_bytes = checked_multiply(checked_add(checked_multiply(ins, x_layout.channel_pitch()), loops.overrun),
                                           static_cast<int64_t>(sizeof(T)));
  const int64_t y_bytes = checked_multiply(checked_add(checked_multiply(outs, y_layout.channel_pitch()), loops.overrun),
                                           static_cast<int64_t>(sizeof(T)));
  const Scratch planes(x_bytes), rows(y_bytes);
  // The last vector of a run reads behind the planes, and multiplies by zero what it finds.
  std::fill_n(planes.as<T>() + ins * x_layout.channel_pitch(), loops.overrun, T(0));
  for (int64_t first = begin; first < end; first += x_layout.images) {
    const int64_t count = std::min(x_layout.images, end - first);
    for (int64_t g = 0; g < c.groups; ++g) {
      loops.pack(x_layout, x + (first * c.in_channels + g * ins) * x_image, c.in_channels * x_image, x_image, ins,
                 count, planes.as());
      loops.pack(y_layout, y + (first * c.out_channels + g * outs) * y_image, c.out_channels * y_image, y_image, outs,
                 count, rows.as());
      loops.correlate(rows.as(), y_layout.channel_pitch(), outs, planes.as(), offsets.data(), columns,
                      run + (count - 1) * x_layout.plane_size(), w + g * outs * columns, columns);
    }
  }
}

}  // namespace

void correlate(const Convolution& c, DType dtype, const void* x, const void* y, void* w) {
  const int64_t size = checked_multiply(checked_multiply(c.out_channels, c.in_channels / c.groups), c.taps());
  visit_computed(dtype, [&]<class T>(T) {
    T* target = static_cast<T*>(w);
    std::fill_n(target, size, T(0));
    if (c.n == 0 || size == 0 || Convolution::product(c.out) == 0) return;
    Axis axes[3], plain[3];
    std::vector<Tap> taps[3];
    for (int d = 0; d < 3; ++d) {
      taps[d] = forward_axis(c, d, axes[d]).taps;
      plain[d] = {{0}, 1, axes[d].length};
    }
    const auto& loops = convolution_table().loops[static_cast<int>(dtype)];
    PlaneLayout x_layout = layout_of(c.in, axes, c.n), y_layout = layout_of(c.out, plain, c.n);
    y_layout.gap = loops.overrun;
    const std::vector<int64_t> offsets =
        with_channels(tap_offsets(x_layout, taps), c.in_channels / c.groups, x_layout.channel_pitch());
    int64_t run = 1;
    const int64_t pitch[3] = {x_layout.plane[1] * x_layout.plane[2], x_layout.plane[2], 1};
    for (int d = 0; d < 3; ++d) run += (c.out[static_cast<size_t>(d)] - 1) * pitch[d];
    // Every chunk of images has sums of its own, added in order: few where they are large.
    const double work = c.work();
    const int64_t blocks = divide_up(c.n, x_layout.images);
    int64_t chunks = std::clamp<int64_t>(static_cast<int64_t>(std::min(work / kChunkWork, 8.0)), 1, blocks);
    if (size > 1 << 16) chunks = std::min<int64_t>(chunks, 2);
    const int64_t each = divide_up(blocks, chunks) * x_layout.images;
    chunks = divide_up(c.n, each);
    const Scratch partial(checked_multiply(checked_multiply(chunks - 1, size), static_cast<int64_t>(sizeof(T))));
    const LongWork released(work >= kLongConvolution);
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* sums = i == 0 ? target : partial.as<T>() + (i - 1) * size;
        if (i > 0) std::fill_n(sums, size, T(0));
        correlate_images<T>(c, loops, x_layout, y_layout, offsets, run, static_cast<const T*>(x),
                            static_cast<const T*>(y), i * each, std::min((i + 1) * each, c.n), sums);
      }
    });
    for (int64_t i = 1; i < chunks; ++i) {
      const T* sums = partial.as<T>() + (i - 1) * size;
      for (int64_t k = 0; k < size; ++k) target[k] += sums[k];
    }
  });
}

}  // namespace lumbre::ops
