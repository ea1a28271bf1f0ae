// What host.cpp stands on: arguments from JavaScript, types of messages, listeners, handles.
#pragma once

#include <napi.h>

#include "src/rcl_handle.h"

#include <dlfcn.h>
#include <rcl/error_handling.h>
#include <rcl/event.h>
#include <rcl/graph.h>
#include <rcl/rcl.h>
#include <rmw/rmw.h>
#include <rosidl_runtime_c/message_initialization.h>
#include <rosidl_runtime_c/message_type_support_struct.h>
#include <rosidl_runtime_c/service_type_support_struct.h>
#include <rosidl_typesupport_introspection_c/identifier.h>
#include <rosidl_typesupport_introspection_c/message_introspection.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>

namespace mlsys {

using rclnodejs::RclHandle;

[[noreturn]] void Fail(Napi::Env env, const std::string& what) {
  std::string why = rcl_error_is_set() ? rcl_get_error_string().str : "no reason given";
  rcl_reset_error();
  throw Napi::Error::New(env, what + ": " + why);
}

void Check(Napi::Env env, rcl_ret_t ret, const char* what) {
  if (ret != RCL_RET_OK) Fail(env, what);
}

template <typename T>
T* Pointer(const Napi::Value& value) {
  void* pointer = RclHandle::Unwrap(value.As<Napi::Object>())->ptr();
  if (!pointer) throw Napi::Error::New(value.Env(), "the handle is released");
  return reinterpret_cast<T*>(pointer);
}

// ---------------------------------------------------------------- types

// [history, depth, reliability, durability, deadline, lifespan, liveliness, lease]; the numbers are rmw's, durations
// nanoseconds, 0 for none.
rmw_qos_profile_t Qos(const Napi::Value& value) {
  auto fields = value.As<Napi::Array>();
  auto number = [&](uint32_t i) { return fields.Get(i).As<Napi::Number>().Uint32Value(); };
  auto duration = [&](uint32_t i) {
    bool lossless;
    int64_t ns = fields.Get(i).As<Napi::BigInt>().Int64Value(&lossless);
    return rmw_time_t{static_cast<uint64_t>(ns / 1000000000), static_cast<uint64_t>(ns % 1000000000)};
  };
  rmw_qos_profile_t qos = rmw_qos_profile_default;
  qos.history = static_cast<rmw_qos_history_policy_t>(number(0));
  qos.depth = number(1);
  qos.reliability = static_cast<rmw_qos_reliability_policy_t>(number(2));
  qos.durability = static_cast<rmw_qos_durability_policy_t>(number(3));
  qos.deadline = duration(4);
  qos.lifespan = duration(5);
  qos.liveliness = static_cast<rmw_qos_liveliness_policy_t>(number(6));
  qos.liveliness_lease_duration = duration(7);
  return qos;
}

// By its name alone a library is looked for along the addon's own RPATH; what it needs itself is not, unless it knows
// its own: then the loader names the first that it misses, which is opened before it.
void* Open(Napi::Env env, const std::string& path, int depth = 0) {
  constexpr int kDeepest = 64;
  std::string name = path.substr(path.rfind('/') + 1);
  for (std::string missed;;) {
    void* handle = dlopen(name.c_str(), RTLD_NOW);
    if (!handle && path != name) handle = dlopen(path.c_str(), RTLD_NOW);
    if (handle) return handle;
    std::string error = dlerror();
    std::string needed = error.substr(0, error.find(':'));
    if (needed == name || needed == path || needed == missed || needed.find(".so") == std::string::npos ||
        depth == kDeepest)
      throw Napi::Error::New(env, error);
    Open(env, needed, depth + 1);
    missed = needed;
  }
}

void* Symbol(Napi::Env env, const std::string& library, const std::string& symbol) {
  void* found = dlsym(Open(env, library), symbol.c_str());
  if (!found) throw Napi::Error::New(env, dlerror());
  return found;
}

// preload(path): what asks for the library by its name alone finds it then, wherever it lies.
Napi::Value Preload(const Napi::CallbackInfo& info) {
  Open(info.Env(), info[0].As<Napi::String>());
  return info.Env().Undefined();
}

template <typename T>
const T* TypeSupport(Napi::Env env, const char* kind, const Napi::Value& library, const std::string& type) {
  std::string symbol = std::string("rosidl_typesupport_c__get_") + kind + "_type_support_handle__" + type;
  void* get = Symbol(env, library.As<Napi::String>(), symbol);
  return reinterpret_cast<const T* (*)()>(get)();
}

// A message in the middleware's C structure, made from its introspection: no generated code is needed.
struct Structure {
  const rosidl_message_type_support_t* support;
  const rosidl_typesupport_introspection_c__MessageMembers* members;

  Structure(Napi::Env env, const Napi::Value& library, const std::string& type)
      : support(TypeSupport<rosidl_message_type_support_t>(env, "message", library, type)) {
    auto introspection = get_message_typesupport_handle(support, rosidl_typesupport_introspection_c__identifier);
    if (!introspection) {
      rcutils_reset_error();
      throw Napi::Error::New(env, type + " has no introspection type support");
    }
    members = static_cast<const rosidl_typesupport_introspection_c__MessageMembers*>(introspection->data);
  }

  std::shared_ptr<void> Make() const {
    void* memory = calloc(1, members->size_of_);
    members->init_function(memory, ROSIDL_RUNTIME_C_MSG_INIT_ALL);
    auto fini = members->fini_function;
    return std::shared_ptr<void>(memory, [fini](void* p) {
      fini(p);
      free(p);
    });
  }

  Napi::Value Serialize(Napi::Env env, void* message) const {
    rcutils_allocator_t allocator = rcutils_get_default_allocator();
    rmw_serialized_message_t bytes = rmw_get_zero_initialized_serialized_message();
    Check(env, rmw_serialized_message_init(&bytes, 0, &allocator), "serialized message");
    rmw_ret_t ret = rmw_serialize(message, support, &bytes);
    Napi::Value copy = env.Undefined();
    if (ret == RMW_RET_OK) copy = Napi::Buffer<uint8_t>::Copy(env, bytes.buffer, bytes.buffer_length);
    (void)!rmw_serialized_message_fini(&bytes);
    Check(env, ret, "serialize");
    return copy;
  }

  std::shared_ptr<void> Deserialize(Napi::Env env, const Napi::Value& value) const {
    auto given = value.As<Napi::Uint8Array>();
    rmw_serialized_message_t bytes = rmw_get_zero_initialized_serialized_message();
    bytes.buffer = given.Data();
    bytes.buffer_length = bytes.buffer_capacity = given.ByteLength();
    auto message = Make();
    Check(env, rmw_deserialize(&bytes, support, message.get()), "deserialize");
    return message;
  }
};

// ---------------------------------------------------------------- listeners

// Called on the middleware's threads; the call into JavaScript is asked for once, and is told how many came until it runs.
struct Listener {
  napi_threadsafe_function call = nullptr;
  std::atomic<size_t> count{0};

  static void Came(const void* data, size_t count) {
    auto self = static_cast<Listener*>(const_cast<void*>(data));
    if (self->count.fetch_add(count) == 0) napi_call_threadsafe_function(self->call, nullptr, napi_tsfn_nonblocking);
  }

  static void Run(napi_env env, napi_value callback, void* context, void*) {
    size_t count = static_cast<Listener*>(context)->count.exchange(0);
    if (!env) return;  // the process ends
    napi_value undefined, argument, error;
    napi_get_undefined(env, &undefined);
    napi_create_double(env, static_cast<double>(count), &argument);
    if (napi_call_function(env, undefined, callback, 1, &argument, nullptr) != napi_pending_exception) return;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);  // as any other exception of a callback
  }

  static void Finalize(napi_env, void* data, void*) { delete static_cast<Listener*>(data); }

  // `keeps`: the process stays while it listens.
  static Listener* Make(Napi::Env env, const Napi::Value& callback, bool keeps) {
    auto self = new Listener();
    napi_value name = Napi::String::New(env, "mlsys.ros");
    napi_status status = napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, self, Finalize, self, Run,
                                                         &self->call);
    if (status != napi_ok) {
      delete self;
      throw Napi::Error::New(env, "no thread-safe function");
    }
    if (!keeps) napi_unref_threadsafe_function(env, self->call);
    return self;
  }

  void Release() { napi_release_threadsafe_function(call, napi_tsfn_abort); }
};

// What an entity needs to go: silence its listener first, so that none runs into freed memory.
template <typename Fini, typename Silence>
Napi::Object Handle(Napi::Env env, void* entity, RclHandle* parent, Listener* listener, Silence silence, Fini fini) {
  return RclHandle::NewInstance(env, entity, parent, [=](void* pointer) {
    if (listener) {
      (void)!silence(pointer);
      listener->Release();
    }
    if (fini(pointer) != RCL_RET_OK) rcl_reset_error();
    free(pointer);
  });
}

template <typename T>
T* New(T zero) {
  auto pointer = static_cast<T*>(malloc(sizeof(T)));
  *pointer = zero;
  return pointer;
}

}  // namespace mlsys
