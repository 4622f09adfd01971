// The pretend device as a module of Python.
#include "device.h"

#include <torch/extension.h>

namespace pretend {
namespace {

std::atomic<bool> watched{false};
PyObject* watcher = nullptr;  // kept for good: another thread may be calling it

void watch(py::object callback) {
  watched = false;
  if (callback.is_none()) return;
  watcher = callback.inc_ref().ptr();
  watched = true;
}

}  // namespace

void report(const char* kind, const std::string& what) {
  if (!watched.load() || watcher == nullptr) return;
  py::gil_scoped_acquire gil;
  PyObject* done = PyObject_CallFunction(watcher, "ss", kind, what.c_str());
  if (done == nullptr)
    PyErr_Print();
  else
    Py_DECREF(done);
}

}  // namespace pretend

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  using namespace pretend;
  module.def("install", [](double of_gradients) {
    noise = of_gradients;
    install_memory();
    return install_operations();
  });
  module.def("now", [] { return bytes_now.load(); });
  module.def("peak", [] { return bytes_peak.load(); });
  module.def("reset_peak", [] { bytes_peak = bytes_now.load(); });
  module.def("limit", [](int64_t bytes) { bytes_limit = bytes; });
  module.def("operations", [] { return operations.load(); });
  module.def("watch", &watch);
}
