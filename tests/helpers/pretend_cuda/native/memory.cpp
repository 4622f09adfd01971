// Memory of the CPU under the name cuda:0, counted and limited, and a device guard, so that autograd gives the device a
// thread of its own.
#include "device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/StorageImpl.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/util/Exception.h>

#include <cstring>

namespace pretend {

using c10::Device;
using c10::DeviceIndex;
using c10::DeviceType;

std::atomic<int64_t> bytes_now{0}, bytes_peak{0}, bytes_limit{-1}, operations{0};
double noise = 0;

namespace {

void charge(int64_t bytes) {
  const int64_t limit = bytes_limit.load();
  if (limit >= 0 && bytes_now.load() + bytes > limit)
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate ", bytes,
                     " bytes (pretend device: ", bytes_now.load(), " of ", limit, " in use)");
  const int64_t now = (bytes_now += bytes);
  int64_t peak = bytes_peak.load();
  while (now > peak && !bytes_peak.compare_exchange_weak(peak, now)) {
  }
}

struct Block {
  c10::Storage cpu;
  int64_t bytes;
};

void free_block(void* block) {
  auto* own = static_cast<Block*>(block);
  bytes_now -= own->bytes;
  delete own;
}

struct Allocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    charge(bytes);
    c10::Storage cpu(c10::make_intrusive<c10::StorageImpl>(c10::StorageImpl::use_byte_size_t(), bytes,
                                                           c10::GetCPUAllocator(), true));
    auto* block = new Block{cpu, static_cast<int64_t>(bytes)};
    return {cpu.mutable_data(), block, &free_block, kGpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};

Allocator gpu_allocator;

struct Guard final : c10::impl::DeviceGuardImplInterface {
  DeviceType type() const override { return DeviceType::CUDA; }
  Device exchangeDevice(Device) const override { return kGpu; }
  Device getDevice() const override { return kGpu; }
  void setDevice(Device) const override {}
  void uncheckedSetDevice(Device) const noexcept override {}
  c10::Stream getStream(Device) const override { return c10::Stream(c10::Stream::DEFAULT, kGpu); }
  c10::Stream getDefaultStream(Device) const override { return c10::Stream(c10::Stream::DEFAULT, kGpu); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  DeviceIndex deviceCount() const noexcept override { return 1; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
  void synchronizeDevice(DeviceIndex) const override {}
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};

Guard guard;

// What the library asks of CUDA: it is there, and has no cuDNN. Generators and pinned memory are the CPU's.
struct Hooks final : at::CUDAHooksInterface {
  void init() const override {}
  const at::Generator& getDefaultGenerator(DeviceIndex = -1) const override {
    static auto generator = at::detail::createCPUGenerator(0);
    return generator;
  }
  at::Generator getNewGenerator(DeviceIndex = -1) const override { return at::detail::createCPUGenerator(0); }
  Device getDeviceFromPtr(void*) const override { return kGpu; }
  bool isPinnedPtr(const void*) const override { return false; }
  bool hasCUDA() const override { return true; }
  bool hasCUDART() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  void setCurrentDevice(DeviceIndex) const override {}
  DeviceIndex getCurrentDevice() const override { return 0; }
  DeviceIndex exchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override { return 0; }
  DeviceIndex current_device() const override { return 0; }
  c10::Allocator* getPinnedMemoryAllocator() const override { return c10::GetCPUAllocator(); }
  c10::Allocator* getCUDADeviceAllocator() const override { return &gpu_allocator; }
  bool compiledWithCuDNN() const override { return false; }
  std::string showConfig() const override { return "  - pretend CUDA\n"; }
  long versionCuDNN() const override { return 0; }
  long versionRuntimeCuDNN() const override { return 0; }
  long versionCUDART() const override { return 13000; }
  bool hasCuDNN() const override { return false; }
  bool hasMAGMA() const override { return false; }
  int getNumGPUs() const override { return 1; }
  void deviceSynchronize(DeviceIndex) const override {}
};

Hooks hooks;

void follow_view(const at::Tensor& from, at::TensorImpl* to) {
  to->set_sizes_and_strides(from.sizes(), from.strides(), from.storage_offset());
  if (from.is_conj()) to->_set_conj(true);
  if (from.is_neg()) to->_set_neg(true);
}

at::Tensor viewed(const at::Tensor& like, c10::Storage storage, c10::DispatchKey key) {
  auto made = at::detail::make_tensor<c10::TensorImpl>(std::move(storage), c10::DispatchKeySet(key), like.dtype());
  follow_view(like, made.unsafeGetTensorImpl());
  return made;
}

}  // namespace

c10::Allocator* allocator() { return &gpu_allocator; }

c10::Storage as_gpu_storage(const c10::Storage& cpu) {
  const int64_t bytes = cpu.nbytes();
  charge(bytes);
  c10::DataPtr data(cpu.mutable_data(), new Block{cpu, bytes}, &free_block, kGpu);
  return c10::Storage(c10::Storage::use_byte_size_t(), bytes, std::move(data), &gpu_allocator, true);
}

at::Tensor on_cpu(const at::Tensor& gpu, Aliases& aliases) {
  auto* own = gpu.storage().unsafeGetStorageImpl();
  auto found = aliases.find(own);
  if (found == aliases.end()) {
    auto* keep = new c10::Storage(gpu.storage());
    auto release = [](void* storage) { delete static_cast<c10::Storage*>(storage); };
    c10::DataPtr data(gpu.storage().mutable_data(), keep, release, Device(DeviceType::CPU));
    c10::Storage cpu(c10::Storage::use_byte_size_t(), gpu.storage().nbytes(), std::move(data), c10::GetCPUAllocator(),
                     true);
    found = aliases.emplace(own, cpu).first;
  }
  return viewed(gpu, found->second, c10::DispatchKey::CPU);
}

at::Tensor on_gpu_in(const at::Tensor& cpu, c10::Storage storage) {
  return viewed(cpu, std::move(storage), c10::DispatchKey::CUDA);
}

void install_memory() {
  c10::SetAllocator(DeviceType::CUDA, &gpu_allocator, 255);
  c10::impl::device_guard_impl_registry[static_cast<size_t>(DeviceType::CUDA)].store(&guard);
  // The library keeps its object of hooks for good: its table of functions becomes ours.
  auto* theirs = const_cast<at::CUDAHooksInterface*>(&at::detail::getCUDAHooks());
  *reinterpret_cast<void**>(theirs) = *reinterpret_cast<void**>(&hooks);
}

}  // namespace pretend
