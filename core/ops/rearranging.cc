// Elements repeated, reversed and shifted.
#include <cstring>

#include "ops/gradients.h"
#include "kernels/index.h"
#include "ops/indexing.h"
#include "ops/views.h"

namespace lumbre::ops {

Tensor flip(const Tensor& input, const Dims& dims) {
  const Dims wrapped = wrap_unique(dims, input.ndim());
  Tensor result = Tensor::empty_strided(input.sizes(), strides_like(input, input.sizes()), input.dtype());
  if (result.count() == 0) return result;
  // Read backwards: the source starts at its last element along the flipped dimensions.
  const auto item = static_cast<int64_t>(input.item_bytes());
  Dims strides[2] = {result.strides(), input.strides()};
  int64_t offset = input->offset;
  for (auto& list : strides)
    for (auto& stride : list) stride *= item;
  if (input.ndim() > 0)
    for (int64_t d : wrapped) {
      offset += (input.sizes()[d] - 1) * input.strides()[d];
      strides[1][d] = -strides[1][d];
    }
  Plan plan;
  plan.add_output(result);
  plan.add_input(with_geometry(input, input.sizes(), input.strides(), offset));
  plan.build_strided(input.sizes(), strides);
  const DType dtypes[2] = {input.dtype(), input.dtype()};
  plan.run(move_loops(input.item_bytes()).copy, dtypes, nullptr);
  return result;
}

namespace {

Tensor fliplr(const Tensor& input) {
  LB_CHECK(input.ndim() >= 2, Runtime, "Input must be >= 2-d.");
  return flip(input, {1});
}
Tensor flipud(const Tensor& input) {
  LB_CHECK(input.ndim() >= 1, Runtime, "Input must be >= 1-d.");
  return flip(input, {0});
}

Tensor roll_dim(const Tensor& input, int64_t shift, int64_t dim) {
  const int d = wrap_dim(dim, input.ndim());
  const int64_t size = input.sizes()[d];
  int64_t start = (size - shift % size) % size;
  if (start < 0) start += size;
  return cat({narrow(input, d, start, size - start), narrow(input, d, 0, start)}, d);
}

Tensor roll(const Tensor& input, const Dims& shifts, const Dims& dims) {
  LB_CHECK(!shifts.empty(), Runtime, "`shifts` required");
  if (dims.empty() && shifts.size() == 1) {
    if (input.count() == 0) return input.clone();
    return view(roll_dim(reshape(input, {-1}), shifts[0], 0), input.sizes());
  }
  LB_CHECK(shifts.size() == dims.size(), Runtime, "shifts and dimensions must align. shifts: ", shifts.size(),
           ", dims:", dims.size());
  for (int64_t dim : dims) {
    LB_CHECK(input.ndim() > 0, Index, "Dimension specified as ", dim, " but tensor has no dimensions");
    wrap_dim(dim, input.ndim());
  }
  if (input.count() == 0) return input.clone(MemoryFormat::Contiguous);
  Tensor result = input;
  for (size_t i = 0; i < dims.size(); ++i) result = roll_dim(result, shifts[i], dims[i]);
  return result;
}

Tensor rot90(const Tensor& input, int64_t k, const Dims& dims) {
  LB_CHECK(dims.size() == 2, Runtime, "expected total rotation dims == 2, but got dims = ", dims.size());
  LB_CHECK(input.ndim() >= 2, Runtime, "expected total dims >= 2, but got total dims = ", input.ndim());
  const int64_t gap = dims[0] > dims[1] ? dims[0] - dims[1] : dims[1] - dims[0];
  LB_CHECK(dims[0] != dims[1] && gap != input.ndim(), Runtime,
           "expected rotation dims to be different, but got dim0 = ", dims[0], " and dim1 = ", dims[1]);
  for (int i = 0; i < 2; ++i)
    LB_CHECK(dims[i] < input.ndim() && dims[i] >= -input.ndim(), Runtime, "Rotation dim", i, " out of range, dim", i,
             " = ", dims[i]);
  const int64_t a = dims[0], b = dims[1];
  switch ((k % 4 + 4) % 4) {
    case 1:
      return transpose(flip(input, {b}), a, b);
    case 2:
      return flip(input, {a, b});
    case 3:
      return transpose(flip(input, {a}), a, b);
    default:
      return input.clone(MemoryFormat::Contiguous);
  }
}

Tensor repeat(const Tensor& input, const Dims& repeats) {
  LB_CHECK(repeats.ndim() >= input.ndim(), Runtime,
           "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
  for (int64_t times : repeats)
    LB_CHECK(times >= 0, Runtime, "Trying to create tensor with negative dimension ", times, ": ", repeats);
  const int pad = repeats.ndim() - input.ndim();
  Dims sizes = repeats, pairs, strides;
  for (int d = 0; d < repeats.ndim(); ++d) {
    const int64_t size = d < pad ? 1 : input.sizes()[d - pad];
    sizes[d] = checked_multiply(size, repeats[d]);
    // A repeated dimension is two, the outer with stride 0; one of them is enough where the other has size 1.
    if (repeats[d] != 1 || size == 1) {
      pairs.push_back(repeats[d]);
      strides.push_back(0);
    }
    if (size != 1) {
      pairs.push_back(size);
      strides.push_back(input.strides()[d - pad]);
    }
  }
  Tensor result = Tensor::empty(sizes, input.dtype());
  if (result.count() > 0) view(result, pairs).copy_from(with_geometry(input, pairs, strides));
  return result;
}

Tensor tile(const Tensor& input, const Dims& dims) {
  Dims repeats = dims;
  while (repeats.ndim() < input.ndim()) repeats.insert(0, 1);
  return repeat(input, repeats);
}

// --- repeat_interleave ----------------------------------------------------------------------------------------------

Tensor positions_of(const Tensor& repeats, std::optional<int64_t> output_size) {
  LB_CHECK(repeats.ndim() == 1, Runtime, "repeat_interleave only accept 1D vector as repeat");
  LB_CHECK(repeats.dtype() == DType::Int64 || repeats.dtype() == DType::Int32, Runtime,
           "repeats has to be Long or Int tensor");
  const Tensor times = integer_index(repeats);
  int64_t total = 0;
  for (int64_t i = 0; i < times.count(); ++i) {
    LB_CHECK(times.as<int64_t>()[i] >= 0, Runtime, "repeats can not be negative");
    total = checked_add(total, times.as<int64_t>()[i]);
  }
  LB_CHECK(!output_size || *output_size == total, Runtime, "allocated size does not match required size");
  Tensor result = Tensor::empty({total}, DType::Int64);
  int64_t* out = result.as<int64_t>();
  for (int64_t i = 0; i < times.count(); ++i) out = std::fill_n(out, times.as<int64_t>()[i], i);
  return result;
}
Tensor repeat_positions(const Tensor& repeats, std::optional<int64_t> output_size) {
  return positions_of(repeats, output_size).to(repeats.dtype());
}

Tensor repeat_interleave(const Tensor& given, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  const Tensor input = !dim || given.ndim() == 0 ? reshape(given, {-1}) : given;
  const int d = wrap_dim(dim.value_or(0), input.ndim());
  Tensor times = repeats;
  if (repeats.ndim() == 0 || (repeats.ndim() == 1 && repeats.sizes()[0] == 1))
    times = expand(reshape(repeats, {1}), {input.sizes()[d]});
  else
    LB_CHECK(repeats.ndim() == 1, Runtime, "repeats must be 0-dim or 1-dim tensor");
  LB_CHECK(times.sizes()[0] == input.sizes()[d], Runtime,
           "repeats must have the same size as input along dim, but got "
           "repeats.size(0) = ",
           times.sizes()[0], " and input.size(", d, ") = ", input.sizes()[d]);
  return take_rows(input.contiguous(), d, positions_of(times, output_size));
}

Tensor repeat_interleave_int(const Tensor& given, int64_t repeats, std::optional<int64_t> dim,
                             std::optional<int64_t> output_size) {
  const Tensor input = !dim || given.ndim() == 0 ? reshape(given, {-1}) : given;
  const int d = wrap_dim(dim.value_or(0), input.ndim());
  LB_CHECK(repeats >= 0, Runtime, "Repeats must be non-negative");
  Dims sizes = input.sizes();
  LB_CHECK(!output_size || *output_size == checked_multiply(sizes[d], repeats), Runtime,
           "repeat_interleave: Invalid output_size, expected ", checked_multiply(sizes[d], repeats), " but got ",
           output_size.value_or(0));
  sizes.insert(static_cast<size_t>(d) + 1, repeats);
  const Tensor wide = expand(unsqueeze(input, d + 1), sizes).clone(MemoryFormat::Contiguous);
  sizes.erase(static_cast<size_t>(d));
  sizes[d] = checked_multiply(input.sizes()[d], repeats);
  return view(wide, sizes);
}

// --- images ---------------------------------------------------------------------------------------------------------

void check_images(const Tensor& input, const char* name) {
  LB_CHECK(input.ndim() >= 3, Runtime, name, " expects input to have at least 3 dimensions, but got input with ",
           input.ndim(), " dimension(s)");
}

Dims leading(const Tensor& input) {
  Dims sizes;
  for (int d = 0; d < input.ndim() - 3; ++d) sizes.push_back(input.sizes()[d]);
  return sizes;
}

// Rearranges the last dimensions: sizes `inner` after the leading ones, in the order `order`, seen at last as `outer`.
Tensor rearranged(const Tensor& input, const Dims& inner, const Dims& order, const Dims& outer) {
  const Dims lead = leading(input);
  Dims sizes = lead, dims, result = lead;
  for (int d = 0; d < lead.ndim(); ++d) dims.push_back(d);
  for (int64_t size : inner) sizes.push_back(size);
  for (int64_t d : order) dims.push_back(d + lead.ndim());
  for (int64_t size : outer) result.push_back(size);
  return reshape(permute(reshape(input, sizes), dims).clone(MemoryFormat::Contiguous), result);
}

Tensor pixel_shuffle(const Tensor& input, int64_t r) {
  check_images(input, "pixel_shuffle");
  LB_CHECK(r > 0, Runtime, "pixel_shuffle expects a positive upscale_factor, but got ", r);
  const int n = input.ndim();
  const int64_t c = input.sizes()[n - 3], h = input.sizes()[n - 2], w = input.sizes()[n - 1];
  LB_CHECK(c % checked_multiply(r, r) == 0, Runtime,
           "pixel_shuffle expects its input's 'channel' dimension to be divisible by the "
           "square of upscale_factor, but input.size(-3)=",
           c, " is not divisible by ", checked_multiply(r, r));
  return rearranged(input, {c / (r * r), r, r, h, w}, {0, 3, 1, 4, 2}, {c / (r * r), h * r, w * r});
}
Tensor pixel_unshuffle(const Tensor& input, int64_t r) {
  check_images(input, "pixel_unshuffle");
  LB_CHECK(r > 0, Runtime, "pixel_unshuffle expects a positive downscale_factor, but got ", r);
  const int n = input.ndim();
  const int64_t c = input.sizes()[n - 3], h = input.sizes()[n - 2], w = input.sizes()[n - 1];
  LB_CHECK(h % r == 0, Runtime,
           "pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=", h,
           " is not divisible by ", r);
  LB_CHECK(w % r == 0, Runtime,
           "pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)=", w,
           " is not divisible by ", r);
  return rearranged(input, {c, h / r, r, w / r, r}, {0, 2, 4, 1, 3},
                    {checked_multiply(c, checked_multiply(r, r)), h / r, w / r});
}
Tensor channel_shuffle(const Tensor& input, int64_t groups) {
  LB_CHECK(input.ndim() > 2, Runtime, "channel_shuffle expects input with > 2 dims, but got input with sizes ",
           input.sizes());
  const int64_t c = input.sizes()[1];
  LB_CHECK(groups > 0, Runtime, "Number of groups to divide channels in must be positive. Value of groups:", groups);
  LB_CHECK(c % groups == 0, Runtime, "Number of channels must be divisible by groups. Got ", c, " channels and ",
           groups, " groups.");
  Dims sizes = input.sizes(), order;
  sizes[1] = c / groups;
  sizes.insert(1, groups);
  for (int d = 0; d < sizes.ndim(); ++d) order.push_back(d == 1 ? 2 : d == 2 ? 1 : d);
  return reshape(permute(reshape(input, sizes), order).clone(MemoryFormat::Contiguous), input.sizes());
}

LB_OPERATOR(.signature = "flip(input, *dims)", .doc = R"(A copy with the order along dimensions reversed.

>>> torch.arange(3).flip(0)
tensor([2, 1, 0]))",
            .forward = forward_of<flip>, .derivative = LB_GRADIENT("FlipBackward0", "", call<"flip">(g, b.dims(1))));
LB_OPERATOR(.signature = "fliplr(input)", .doc = R"(A copy with the columns in reverse order.

>>> torch.arange(2).reshape(1, 2).fliplr()
tensor([[1, 0]]))",
            .forward = forward_of<fliplr>, .derivative = LB_GRADIENT("FlipBackward0", "", call<"fliplr">(g)));
LB_OPERATOR(.signature = "flipud(input)", .doc = R"(A copy with the rows in reverse order.

>>> torch.arange(3).flipud()
tensor([2, 1, 0]))",
            .forward = forward_of<flipud>, .derivative = LB_GRADIENT("FlipBackward0", "", call<"flipud">(g)));
LB_OPERATOR(
        .signature = "roll(input, shifts, dims=())",
        .doc =
            R"(A copy shifted along dimensions, elements that leave entering at the other end; without dims over all elements.

>>> torch.arange(3).roll(1)
tensor([2, 0, 1]))",
        .forward = forward_of<roll>, .derivative = gradients("RollBackward0", roll_gradient));
LB_OPERATOR(.signature = "rot90(input, k=1, dims=(0, 1))",
            .doc = R"(Rotated k times by 90 degrees, from the first towards the second dimension.

>>> torch.arange(4).reshape(2, 2).rot90()
tensor([[1, 3],
        [0, 2]]))",
            .forward = forward_of<rot90>,
            .derivative = LB_GRADIENT("Rot90Backward0", "", call<"rot90">(g, -b.integer(1), b.dims(2))));
LB_OPERATOR(.signature = "repeat(input, *repeats)",
            .doc = R"(Copies side by side, as many along each dimension as said; new dimensions come first.

>>> torch.arange(2).repeat(2)
tensor([0, 1, 0, 1]))",
            .forward = forward_of<repeat>,
            .derivative = LB_GRADIENT("RepeatBackward0", "", repeat_gradient(g, b.dims(1), b.sizes(0))),
            .forms = kMethod);
LB_OPERATOR(.signature = "tile(input, *dims)",
            .doc = R"(Copies side by side; missing repetitions are 1 and belong to the first dimensions.

>>> torch.arange(2).tile(2)
tensor([0, 1, 0, 1]))",
            .forward = forward_of<tile>,
            .derivative = LB_GRADIENT("RepeatBackward0", "", tile_gradient(g, b.dims(1), b.sizes(0))));
LB_OPERATOR(.signature = "repeat_interleave(repeats, *, output_size=None)",
            .doc = R"(Each position as often as its number says.

>>> torch.repeat_interleave(torch.tensor([1, 2]))
tensor([0, 1, 1]))",
            .forward = forward_of<repeat_positions>, .derivative = kNotDifferentiable, .decides = Decides::Elements);
LB_OPERATOR(.signature = "repeat_interleave(input, repeats, dim=None, *, output_size=None)",
            .doc = R"(Each element (or position of dim) as often as a tensor says.

>>> torch.arange(2).repeat_interleave(torch.tensor([1, 2]))
tensor([0, 1, 1]))",
            .forward = forward_of<repeat_interleave>,
            .derivative = LB_GRADIENT("IndexSelectBackward0", "0:1", repeat_interleave_gradient(g, b)),
            .decides = Decides::Elements);
LB_OPERATOR(.signature = "repeat_interleave(input, repeats, dim=None, *, output_size=None)",
            .doc = R"(Each element (or position of dim) several times.

>>> torch.arange(2).repeat_interleave(2)
tensor([0, 0, 1, 1]))",
            .forward = forward_of<repeat_interleave_int>,
            .derivative = LB_GRADIENT("IndexSelectBackward0", "", repeat_interleave_gradient(g, b)));
LB_OPERATOR(.signature = "pixel_shuffle(input, upscale_factor)", .doc = R"((..., C r r, H, W) to (..., C, H r, W r).

>>> torch.pixel_shuffle(torch.zeros(4, 2, 2), 2).shape
torch.Size([1, 4, 4]))",
            .forward = forward_of<pixel_shuffle>,
            .derivative = LB_GRADIENT("PixelShuffleBackward0", "", call<"pixel_unshuffle">(g, b.integer(1))),
            .forms = kFunction, .aliases = "nn.functional.pixel_shuffle");
LB_OPERATOR(.signature = "pixel_unshuffle(input, downscale_factor)", .doc = R"((..., C, H r, W r) to (..., C r r, H, W).

>>> torch.pixel_unshuffle(torch.zeros(1, 4, 4), 2).shape
torch.Size([4, 2, 2]))",
            .forward = forward_of<pixel_unshuffle>,
            .derivative = LB_GRADIENT("PixelUnshuffleBackward0", "", call<"pixel_shuffle">(g, b.integer(1))),
            .forms = kFunction, .aliases = "nn.functional.pixel_unshuffle");
LB_OPERATOR(.signature = "channel_shuffle(input, groups)",
            .doc = R"(Channels of groups interleaved: (N, g c, ...) read as (N, c, g, ...).

>>> torch.channel_shuffle(torch.arange(4).reshape(1, 4, 1), 2).flatten()
tensor([0, 2, 1, 3]))",
            .forward = forward_of<channel_shuffle>,
            .derivative = LB_GRADIENT("ChannelShuffleBackward0", "",
                                      call<"channel_shuffle">(g, b.sizes(0)[1] / b.integer(1))),
            .forms = kFunction,
            .aliases = "native_channel_shuffle nn.functional.channel_shuffle nn.functional.native_channel_shuffle");

}  // namespace
}  // namespace lumbre::ops
