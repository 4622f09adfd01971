// Every operation of CUDA's dispatch key, carried out by the CPU's kernel on the same memory.
#include "device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <set>
#include <sstream>

namespace pretend {
namespace {

using at::Tensor;
using c10::DeviceType;
using c10::DispatchKey;
using c10::IValue;
using c10::SymInt;
using c10::SymIntArrayRef;
using MaybeTensor = std::optional<Tensor>;
using Below = at::AutoDispatchBelowADInplaceOrView;

// Operations with indices, which may lie on the CPU.
const std::set<std::string> kIndexed = {"aten::index", "aten::index_put_", "aten::_index_put_impl_"};

// Further operations that take tensors of both devices on real CUDA.
const std::set<std::string> kMixes = {
    "aten::copy_", "aten::_copy_from", "aten::_copy_from_and_resize", "aten::_unsafe_index",
    "aten::_unsafe_index_put", "aten::index_put", "aten::set_", "aten::_assert_async",
    "aten::_local_scalar_dense"};

// Operations for which the host waits on real CUDA, and which no capture survives.
const std::set<std::string> kWaits = {
    "aten::_local_scalar_dense", "aten::nonzero",       "aten::masked_select",      "aten::equal",
    "aten::is_nonzero",          "aten::_unique2",      "aten::unique_dim",         "aten::unique_consecutive",
    "aten::unique_dim_consecutive", "aten::bincount",   "aten::repeat_interleave",  "aten::_linalg_eigh",
    "aten::linalg_eig",          "aten::_linalg_svd",   "aten::multinomial",        "aten::histc",
    "aten::nonzero_static",      "aten::_embedding_bag"};

// The arguments of one call as the CPU's kernel takes them, and the way back for its results.
class Call {
 public:
  Call(const std::string& name, torch::jit::Stack* stack, size_t arguments) : name_(name) {
    for (size_t i = stack->size() - arguments; i < stack->size(); i++) take((*stack)[i]);
  }

  void check() const {
    if (!any_gpu_) return;
    const bool indexed = kIndexed.count(name_) > 0;
    if (!stranger_.empty()) {
      if (!indexed && !kMixes.count(name_)) {
        report("mixed", name_);
        TORCH_CHECK(false, "Expected all tensors to be on the same device, but found cuda:0 and a tensor of the CPU ",
                    stranger_, " in ", name_, " (pretend device)");
      }
      if (indexed) report("wait", name_ + " (indices on the CPU)");
    }
    if (kWaits.count(name_)) report("wait", name_);
    for (const auto& pair : pairs_)
      if (indexed && pair.first.scalar_type() == at::kBool && !pair.first.is_same(pairs_[0].first)) {
        report("wait", name_ + " (mask)");
        break;
      }
  }

  // A tensor that the kernel resized: its original follows.
  void follow() {
    for (auto& [original, alias] : pairs_) {
      auto* own = original.unsafeGetTensorImpl();
      const bool moved = alias.storage().data() != original.storage().data();
      if (moved) own->set_storage_keep_dtype(as_gpu_storage(alias.storage()));
      if (moved || alias.sizes() != original.sizes() || alias.strides() != original.strides())
        own->set_sizes_and_strides(alias.sizes(), alias.strides(), alias.storage_offset());
    }
  }

  void give_back(torch::jit::Stack* stack, size_t results) {
    if (!any_gpu_ && !device_gpu_) return;
    for (size_t i = stack->size() - results; i < stack->size(); i++) {
      IValue& value = (*stack)[i];
      if (value.isTensor()) {
        value = returned(value.toTensor());
      } else if (value.isTensorList()) {
        std::vector<Tensor> tensors;
        for (const Tensor& one : value.toTensorVector()) tensors.push_back(returned(one));
        value = IValue(tensors);
      }
    }
  }

 private:
  void take(IValue& value) {
    if (value.isTensor()) {
      value = alias(value.toTensor());
    } else if (value.isTensorList()) {
      std::vector<Tensor> tensors;
      for (const Tensor& one : value.toTensorVector()) tensors.push_back(alias(one));
      value = IValue(tensors);
    } else if (value.isOptionalTensorList()) {
      c10::List<MaybeTensor> tensors;
      for (MaybeTensor one : value.toOptionalTensorList())
        tensors.push_back(one.has_value() ? MaybeTensor(alias(*one)) : std::nullopt);
      value = IValue(tensors);
    } else if (value.isDevice() && value.toDevice().type() == DeviceType::CUDA) {
      device_gpu_ = true;
      value = c10::Device(DeviceType::CPU);
    }
  }

  Tensor alias(const Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    if (!on_gpu(tensor)) {
      if (tensor.dim() > 0 && tensor.device().type() == DeviceType::CPU && stranger_.empty()) {
        std::stringstream text;
        text << tensor.sizes() << " " << tensor.dtype();
        stranger_ = text.str();
      }
      return tensor;
    }
    any_gpu_ = true;
    auto same = on_cpu(tensor, aliases_);
    pairs_.emplace_back(tensor, same);
    return same;
  }

  Tensor returned(const Tensor& tensor) {
    if (!tensor.defined() || on_gpu(tensor)) return tensor;
    for (const auto& [original, alias] : pairs_)
      if (alias.is_same(tensor)) return original;
    for (const auto& alias : aliases_)
      if (alias.second.unsafeGetStorageImpl() == tensor.storage().unsafeGetStorageImpl())
        for (const auto& pair : pairs_)
          if (pair.first.storage().unsafeGetStorageImpl() == alias.first)
            return on_gpu_in(tensor, pair.first.storage());
    return to_gpu(tensor);
  }

  const std::string& name_;
  Aliases aliases_;
  std::vector<std::pair<Tensor, Tensor>> pairs_;  // original, alias
  bool any_gpu_ = false, device_gpu_ = false;
  std::string stranger_;  // a tensor of the CPU among those of the GPU
};

void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const std::vector<IValue> alive(stack->end() - schema.arguments().size(), stack->end());
  operations++;
  Call call(schema.name(), stack, schema.arguments().size());
  call.check();
  {
    Below below;
    op.callBoxed(*stack);
  }
  call.follow();
  call.give_back(stack, schema.returns().size());
}

Tensor empty_memory_format(SymIntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                           std::optional<c10::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), allocator(), c10::DispatchKeySet(DispatchKey::CUDA),
                                   c10::dtype_or_default(dtype), format);
}

Tensor empty_strided(SymIntArrayRef size, SymIntArrayRef stride, std::optional<at::ScalarType> dtype,
                     std::optional<at::Layout>, std::optional<c10::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), allocator(),
                                           c10::DispatchKeySet(DispatchKey::CUDA), c10::dtype_or_default(dtype));
}

Tensor& copy_(Tensor& self, const Tensor& source, bool non_blocking) {
  Aliases aliases;
  operations++;
  const bool to = on_gpu(self), from = on_gpu(source);
  if (to != from) {
    std::stringstream text;
    text << (to ? "host to device " : "device to host ") << self.sizes() << (non_blocking ? " non_blocking" : "");
    report(non_blocking ? "copy" : "wait", text.str());
  }
  Below below;
  Tensor there = to ? on_cpu(self, aliases) : self;
  there.copy_(from ? on_cpu(source, aliases) : source);
  return self;
}

MaybeTensor maybe_on_cpu(const MaybeTensor& tensor, Aliases& aliases) {
  return tensor.has_value() && tensor->defined() ? MaybeTensor(on_cpu(*tensor, aliases)) : std::nullopt;
}

// Convolutions as a whole, forward and back: the CPU's fast kernels instead of CUDA's slow ones.
Tensor convolution(const Tensor& input, const Tensor& weight, const MaybeTensor& bias, SymIntArrayRef stride,
                   SymIntArrayRef padding, SymIntArrayRef dilation, bool transposed, SymIntArrayRef output_padding,
                   SymInt groups) {
  Aliases aliases;
  operations++;
  TORCH_CHECK(on_gpu(input) == on_gpu(weight), "Input type and weight type should be on one device (pretend device: ",
              "input ", input.device(), ", weight ", weight.device(), ")");
  Below below;
  auto found = at::convolution(on_cpu(input, aliases), on_cpu(weight, aliases), maybe_on_cpu(bias, aliases),
                               C10_AS_INTARRAYREF_SLOW(stride), C10_AS_INTARRAYREF_SLOW(padding),
                               C10_AS_INTARRAYREF_SLOW(dilation), transposed, C10_AS_INTARRAYREF_SLOW(output_padding),
                               groups.guard_int(__FILE__, __LINE__));
  return to_gpu(found.contiguous());  // as CUDA's slow kernels have it, and fake tensors expect it
}

std::tuple<Tensor, Tensor, Tensor> convolution_backward(
    const Tensor& gradient, const Tensor& input, const Tensor& weight, at::OptionalSymIntArrayRef bias_sizes,
    SymIntArrayRef stride, SymIntArrayRef padding, SymIntArrayRef dilation, bool transposed,
    SymIntArrayRef output_padding, SymInt groups, std::array<bool, 3> mask) {
  Aliases aliases;
  operations++;
  Below below;
  at::OptionalIntArrayRef sizes;
  if (bias_sizes.has_value()) sizes = C10_AS_INTARRAYREF_SLOW(*bias_sizes);
  auto [by_input, by_weight, by_bias] = at::convolution_backward(
      on_cpu(gradient, aliases), on_cpu(input, aliases), on_cpu(weight, aliases), sizes,
      C10_AS_INTARRAYREF_SLOW(stride), C10_AS_INTARRAYREF_SLOW(padding), C10_AS_INTARRAYREF_SLOW(dilation), transposed,
      C10_AS_INTARRAYREF_SLOW(output_padding), groups.guard_int(__FILE__, __LINE__), mask);
  if (noise > 0 && by_weight.defined()) {
    auto drawn = at::randn({}, at::detail::createCPUGenerator(c10::detail::getNonDeterministicRandom()));
    by_weight.mul_(1 + noise * drawn);
  }
  auto back = [](const Tensor& found) { return found.defined() ? to_gpu(found.contiguous()) : found; };
  return {back(by_input), back(by_weight), back(by_bias)};
}

Tensor conv_depthwise2d(const Tensor& input, const Tensor& weight, SymIntArrayRef, const MaybeTensor& bias,
                        SymIntArrayRef stride, SymIntArrayRef padding, SymIntArrayRef dilation) {
  const std::vector<SymInt> none{0, 0};
  return convolution(input, weight, bias, stride, padding, dilation, false, none, input.size(1));
}

Tensor& set_to(Tensor& self, c10::Storage source, SymInt offset, SymIntArrayRef size, SymIntArrayRef stride) {
  TORCH_CHECK(source.device().type() == DeviceType::CUDA,
              "Attempted to set the storage of a tensor on cuda:0 to a storage of another device (pretend device)");
  const auto sizes = C10_AS_INTARRAYREF_SLOW(size);
  std::vector<int64_t> strides = C10_AS_INTARRAYREF_SLOW(stride).vec();
  if (strides.empty()) {
    strides.resize(sizes.size());
    int64_t step = 1;
    for (int64_t i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; i--) {
      strides[i] = step;
      step *= std::max<int64_t>(sizes[i], 1);
    }
  }
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(source);
  self.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides, offset.guard_int(__FILE__, __LINE__));
  return self;
}

Tensor& set_storage(Tensor& self, c10::Storage source) {
  const int64_t numbers = source.nbytes() / self.dtype().itemsize();
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(source);
  self.unsafeGetTensorImpl()->set_sizes_and_strides(std::vector<int64_t>{numbers}, std::vector<int64_t>{1}, 0);
  return self;
}

Tensor& set_tensor(Tensor& self, const Tensor& source) {
  self.unsafeGetTensorImpl()->set_storage_keep_dtype(source.storage());
  self.unsafeGetTensorImpl()->set_sizes_and_strides(source.sizes(), source.strides(), source.storage_offset());
  return self;
}

bool has_kernel(const c10::OperatorHandle& op) {
  const bool general = op.hasKernelForDispatchKey(DispatchKey::CompositeExplicitAutograd) ||
                       op.hasKernelForDispatchKey(DispatchKey::CompositeExplicitAutogradNonFunctional);
  return op.hasKernelForDispatchKey(DispatchKey::CPU) || (general && op.hasKernelForDispatchKey(DispatchKey::CUDA));
}

}  // namespace

int64_t install_operations() {
  static auto* library = new torch::Library(torch::Library::IMPL, "aten", DispatchKey::CUDA, __FILE__, __LINE__);
  static const std::set<std::string> own = {"empty.memory_format", "empty_strided", "copy_", "_conv_depthwise2d",
                                            "set_.source_Storage", "set_.source_Storage_storage_offset",
                                            "set_.source_Tensor"};
  int64_t count = 0;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (name.name.rfind("aten::", 0) != 0) continue;
    const auto full = name.name.substr(6) + (name.overload_name.empty() ? "" : "." + name.overload_name);
    const auto op = c10::Dispatcher::singleton().findSchema(name);
    if (own.count(full) || !op.has_value() || !has_kernel(*op)) continue;
    library->impl(full.c_str(), torch::CppFunction::makeFromBoxedFunction<&fallback>());
    count++;
  }
  library->impl("empty.memory_format", TORCH_FN(empty_memory_format));
  library->impl("empty_strided", TORCH_FN(empty_strided));
  library->impl("copy_", TORCH_FN(copy_));
  library->impl("set_.source_Storage", TORCH_FN(set_storage));
  library->impl("set_.source_Storage_storage_offset", TORCH_FN(set_to));
  library->impl("set_.source_Tensor", TORCH_FN(set_tensor));
  library->impl("_conv_depthwise2d", TORCH_FN(conv_depthwise2d));
  library->impl("convolution", TORCH_FN(convolution));
  library->impl("convolution_backward", TORCH_FN(convolution_backward));
  return count;
}

}  // namespace pretend
