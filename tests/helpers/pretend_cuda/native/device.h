// What the parts of the pretend device share: its memory, its counters, and the watch on the host's waits.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/Storage.h>

#include <atomic>
#include <string>
#include <unordered_map>

namespace pretend {

const c10::Device kGpu(c10::DeviceType::CUDA, 0);

extern std::atomic<int64_t> bytes_now, bytes_peak, bytes_limit;  // limit: negative for none
extern std::atomic<int64_t> operations;  // operations carried out so far
extern double noise;                     // relative size of the change to each weight gradient of a convolution

// Tells the watcher in Python, where there is one, of a "wait", a "copy" or tensors "mixed" of two devices.
void report(const char* kind, const std::string& what);

// Puts allocator, device guard and CUDA hooks in the place of the library's.
void install_memory();

// Puts the CPU's kernels under CUDA's dispatch key. Returns how many.
int64_t install_operations();

inline bool on_gpu(const at::Tensor& t) { return t.defined() && t.device().type() == c10::DeviceType::CUDA; }

// Storage of the GPU -> the same memory as storage of the CPU, for the length of one operation.
using Aliases = std::unordered_map<const void*, c10::Storage>;

// The same memory as a tensor of the CPU.
at::Tensor on_cpu(const at::Tensor& gpu, Aliases& aliases);

// A tensor of the GPU with the sizes and strides of one of the CPU.
at::Tensor on_gpu_in(const at::Tensor& cpu, c10::Storage storage);

// Memory of the CPU as storage of the GPU; counted, and so refused beyond the limit.
c10::Storage as_gpu_storage(const c10::Storage& cpu);

inline at::Tensor to_gpu(const at::Tensor& cpu) { return on_gpu_in(cpu, as_gpu_storage(cpu.storage())); }

c10::Allocator* allocator();

}  // namespace pretend
