// Built into rclnodejs's addon by `mlsys ros install`, beside its own bindings, for what those lack:
// - qualities of service with their durations (deadline, lifespan, liveliness lease);
// - services of any interface folder: an action's are pkg/action/Name_SendGoal, theirs are pkg/srv/* only;
// - messages as serialized bytes with the times they were sent and received, requests and responses too;
// - delivery by the middleware's listeners instead of a thread per node that polls every 10 ms;
// - notices of changes of the graph.
// Handles are rclnodejs's own, so its other functions take them.

#include <napi.h>

// Its module is registered below, by the one that adds ours.
#undef NODE_API_MODULE
#define NODE_API_MODULE(name, init)
#include "src/addon.cpp"

#include <thread>

#include "mlsys_ground.hpp"

namespace mlsys {

// ---------------------------------------------------------------- topics

// createPublisher(node, library, type, topic, qos)
Napi::Value CreatePublisher(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto node = Pointer<rcl_node_t>(info[0]);
  auto support = TypeSupport<rosidl_message_type_support_t>(env, "message", info[1], info[2].As<Napi::String>());
  auto options = rcl_publisher_get_default_options();
  options.qos = Qos(info[4]);
  auto publisher = New(rcl_get_zero_initialized_publisher());
  std::string topic = info[3].As<Napi::String>();
  if (rcl_publisher_init(publisher, node, support, topic.c_str(), &options) != RCL_RET_OK) {
    free(publisher);
    Fail(env, "publisher of " + topic);
  }
  return Handle(
      env, publisher, RclHandle::Unwrap(info[0].As<Napi::Object>()), nullptr, [](void*) { return RCL_RET_OK; },
      [node](void* p) { return rcl_publisher_fini(static_cast<rcl_publisher_t*>(p), node); });
}

// publish(publisher, bytes)
Napi::Value Publish(const Napi::CallbackInfo& info) {
  auto bytes = info[1].As<Napi::Uint8Array>();
  rmw_serialized_message_t message = rmw_get_zero_initialized_serialized_message();
  message.buffer = bytes.Data();
  message.buffer_length = message.buffer_capacity = bytes.ByteLength();
  Check(info.Env(), rcl_publish_serialized_message(Pointer<rcl_publisher_t>(info[0]), &message, nullptr), "publish");
  return info.Env().Undefined();
}

// createSubscription(node, library, type, topic, qos, onMessage)
Napi::Value CreateSubscription(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto node = Pointer<rcl_node_t>(info[0]);
  auto support = TypeSupport<rosidl_message_type_support_t>(env, "message", info[1], info[2].As<Napi::String>());
  auto options = rcl_subscription_get_default_options();
  options.qos = Qos(info[4]);
  auto subscription = New(rcl_get_zero_initialized_subscription());
  std::string topic = info[3].As<Napi::String>();
  if (rcl_subscription_init(subscription, node, support, topic.c_str(), &options) != RCL_RET_OK) {
    free(subscription);
    Fail(env, "subscription to " + topic);
  }
  auto listener = Listener::Make(env, info[5], true);
  auto handle = Handle(
      env, subscription, RclHandle::Unwrap(info[0].As<Napi::Object>()), listener,
      [](void* p) {
        return rcl_subscription_set_on_new_message_callback(static_cast<rcl_subscription_t*>(p), nullptr, nullptr);
      },
      [node](void* p) { return rcl_subscription_fini(static_cast<rcl_subscription_t*>(p), node); });
  Check(env, rcl_subscription_set_on_new_message_callback(subscription, Listener::Came, listener), "listen");
  return handle;
}

// The middleware's bytes of the message taken last: kept from one to the next, unless a large one came.
struct Taken {
  rmw_serialized_message_t bytes = rmw_get_zero_initialized_serialized_message();
  static constexpr size_t kKept = 1 << 23;

  rmw_serialized_message_t* Ready(Napi::Env env) {
    rcutils_allocator_t allocator = rcutils_get_default_allocator();
    if (bytes.buffer_capacity > kKept) (void)!rmw_serialized_message_fini(&bytes);
    if (!bytes.buffer) Check(env, rmw_serialized_message_init(&bytes, 1024, &allocator), "serialized message");
    return &bytes;
  }
};

// take(subscription, scratch): [length, sent, received], the message in `scratch`, or bytes of its own instead of their
// number if it is too large for that; times in nanoseconds. undefined if nothing is there
Napi::Value Take(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  static thread_local Taken taken;
  auto bytes = taken.Ready(env);
  rmw_message_info_t message_info = rmw_get_zero_initialized_message_info();
  rcl_ret_t ret = rcl_take_serialized_message(Pointer<rcl_subscription_t>(info[0]), bytes, &message_info, nullptr);
  if (ret == RCL_RET_SUBSCRIPTION_TAKE_FAILED) {
    rcl_reset_error();
    return env.Undefined();
  }
  Check(env, ret, "take");
  auto scratch = info[1].As<Napi::Uint8Array>();
  auto result = Napi::Array::New(env, 3);
  if (bytes->buffer_length <= scratch.ByteLength()) {
    std::memcpy(scratch.Data(), bytes->buffer, bytes->buffer_length);
    result.Set(0u, Napi::Number::New(env, static_cast<double>(bytes->buffer_length)));
  } else {
    result.Set(0u, Napi::Buffer<uint8_t>::Copy(env, bytes->buffer, bytes->buffer_length));
  }
  result.Set(1u, Napi::BigInt::New(env, static_cast<int64_t>(message_info.source_timestamp)));
  result.Set(2u, Napi::BigInt::New(env, static_cast<int64_t>(message_info.received_timestamp)));
  return result;
}

// ---------------------------------------------------------------- services

struct ServiceEnds {
  Structure request;
  Structure response;
};

// serviceType(library, type): both structures, kept as long as the answer is
Napi::Value ServiceType(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string type = info[1].As<Napi::String>();
  auto ends = new ServiceEnds{Structure(env, info[0], type + "_Request"), Structure(env, info[0], type + "_Response")};
  return Napi::External<ServiceEnds>::New(env, ends, [](Napi::Env, ServiceEnds* p) { delete p; });
}

const ServiceEnds& Ends(const Napi::Value& value) { return *value.As<Napi::External<ServiceEnds>>().Data(); }

// createService(node, library, type, name, qos, onRequest)
Napi::Value CreateService(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto node = Pointer<rcl_node_t>(info[0]);
  auto support = TypeSupport<rosidl_service_type_support_t>(env, "service", info[1], info[2].As<Napi::String>());
  auto options = rcl_service_get_default_options();
  options.qos = Qos(info[4]);
  auto service = New(rcl_get_zero_initialized_service());
  std::string name = info[3].As<Napi::String>();
  if (rcl_service_init(service, node, support, name.c_str(), &options) != RCL_RET_OK) {
    free(service);
    Fail(env, "service " + name);
  }
  auto listener = Listener::Make(env, info[5], true);
  auto handle = Handle(
      env, service, RclHandle::Unwrap(info[0].As<Napi::Object>()), listener,
      [](void* p) { return rcl_service_set_on_new_request_callback(static_cast<rcl_service_t*>(p), nullptr, nullptr); },
      [node](void* p) { return rcl_service_fini(static_cast<rcl_service_t*>(p), node); });
  Check(env, rcl_service_set_on_new_request_callback(service, Listener::Came, listener), "listen");
  return handle;
}

// createClient(node, library, type, name, qos, onResponse)
Napi::Value CreateClient(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto node = Pointer<rcl_node_t>(info[0]);
  auto support = TypeSupport<rosidl_service_type_support_t>(env, "service", info[1], info[2].As<Napi::String>());
  auto options = rcl_client_get_default_options();
  options.qos = Qos(info[4]);
  auto client = New(rcl_get_zero_initialized_client());
  std::string name = info[3].As<Napi::String>();
  if (rcl_client_init(client, node, support, name.c_str(), &options) != RCL_RET_OK) {
    free(client);
    Fail(env, "client of " + name);
  }
  auto listener = Listener::Make(env, info[5], false);
  auto handle = Handle(
      env, client, RclHandle::Unwrap(info[0].As<Napi::Object>()), listener,
      [](void* p) { return rcl_client_set_on_new_response_callback(static_cast<rcl_client_t*>(p), nullptr, nullptr); },
      [node](void* p) { return rcl_client_fini(static_cast<rcl_client_t*>(p), node); });
  Check(env, rcl_client_set_on_new_response_callback(client, Listener::Came, listener), "listen");
  return handle;
}

// takeRequest(service, serviceType): [bytes, id], undefined if nothing is there
Napi::Value TakeRequest(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto& ends = Ends(info[1]);
  auto request = ends.request.Make();
  rmw_service_info_t header;
  std::memset(&header, 0, sizeof(header));
  rcl_ret_t ret = rcl_take_request_with_info(Pointer<rcl_service_t>(info[0]), &header, request.get());
  if (ret == RCL_RET_SERVICE_TAKE_FAILED) {
    rcl_reset_error();
    return env.Undefined();
  }
  Check(env, ret, "take a request");
  auto result = Napi::Array::New(env, 2);
  result.Set(0u, ends.request.Serialize(env, request.get()));
  result.Set(1u, Napi::Buffer<uint8_t>::Copy(env, reinterpret_cast<uint8_t*>(&header.request_id),
                                             sizeof(header.request_id)));
  return result;
}

// sendResponse(service, serviceType, id, bytes): false if the middleware does not know the client's end yet
Napi::Value SendResponse(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto response = Ends(info[1]).response.Deserialize(env, info[3]);
  rmw_request_id_t id;
  std::memcpy(&id, info[2].As<Napi::Uint8Array>().Data(), sizeof(id));
  rcl_ret_t ret = rcl_send_response(Pointer<rcl_service_t>(info[0]), &id, response.get());
  if (ret == RCL_RET_TIMEOUT) {
    rcl_reset_error();
    return Napi::Boolean::New(env, false);
  }
  Check(env, ret, "send a response");
  return Napi::Boolean::New(env, true);
}

// sendRequest(client, serviceType, bytes): its sequence number
Napi::Value SendRequest(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto request = Ends(info[1]).request.Deserialize(env, info[2]);
  int64_t sequence = 0;
  Check(env, rcl_send_request(Pointer<rcl_client_t>(info[0]), request.get(), &sequence), "send a request");
  return Napi::Number::New(env, static_cast<double>(sequence));
}

// takeResponse(client, serviceType): [bytes, sequence number], undefined if nothing is there
Napi::Value TakeResponse(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto& ends = Ends(info[1]);
  auto response = ends.response.Make();
  rmw_service_info_t header;
  std::memset(&header, 0, sizeof(header));
  rcl_ret_t ret = rcl_take_response_with_info(Pointer<rcl_client_t>(info[0]), &header, response.get());
  if (ret == RCL_RET_CLIENT_TAKE_FAILED) {
    rcl_reset_error();
    return env.Undefined();
  }
  Check(env, ret, "take a response");
  auto result = Napi::Array::New(env, 2);
  result.Set(0u, ends.response.Serialize(env, response.get()));
  result.Set(1u, Napi::Number::New(env, static_cast<double>(header.request_id.sequence_number)));
  return result;
}

// ---------------------------------------------------------------- events

template <typename Entity, typename Kind, typename Init>
Napi::Value CreateEvent(const Napi::CallbackInfo& info, Init init) {
  Napi::Env env = info.Env();
  auto event = New(rcl_get_zero_initialized_event());
  auto kind = static_cast<Kind>(info[1].As<Napi::Number>().Int32Value());
  rcl_ret_t ret = init(event, Pointer<Entity>(info[0]), kind);
  if (ret != RCL_RET_OK) {
    free(event);
    if (ret == RCL_RET_UNSUPPORTED) {
      rcl_reset_error();
      return env.Undefined();
    }
    Fail(env, "event");
  }
  auto listener = Listener::Make(env, info[2], false);
  auto handle = Handle(
      env, event, nullptr, listener,
      [](void* p) { return rcl_event_set_callback(static_cast<rcl_event_t*>(p), nullptr, nullptr); },
      [](void* p) { return rcl_event_fini(static_cast<rcl_event_t*>(p)); });
  Check(env, rcl_event_set_callback(event, Listener::Came, listener), "listen");
  return handle;
}

// createPublisherEvent(publisher, kind, onEvent), createSubscriptionEvent: undefined if the middleware has none such
Napi::Value CreatePublisherEvent(const Napi::CallbackInfo& info) {
  return CreateEvent<rcl_publisher_t, rcl_publisher_event_type_t>(info, rcl_publisher_event_init);
}
Napi::Value CreateSubscriptionEvent(const Napi::CallbackInfo& info) {
  return CreateEvent<rcl_subscription_t, rcl_subscription_event_type_t>(info, rcl_subscription_event_init);
}

// ---------------------------------------------------------------- the graph

// A thread that waits for the graph's guard condition; ended by its own.
struct GraphWatch {
  Listener* listener;
  rcl_guard_condition_t stop = rcl_get_zero_initialized_guard_condition();
  std::thread thread;
};

// watchGraph(context, node, onChange): released before the node is
Napi::Value WatchGraph(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto context = Pointer<rcl_context_t>(info[0]);
  auto changed = rcl_node_get_graph_guard_condition(Pointer<rcl_node_t>(info[1]));
  if (!changed) Fail(env, "graph");
  auto watch = new GraphWatch();
  if (rcl_guard_condition_init(&watch->stop, context, rcl_guard_condition_get_default_options()) != RCL_RET_OK) {
    delete watch;
    Fail(env, "graph");
  }
  watch->listener = Listener::Make(env, info[2], false);
  watch->thread = std::thread([watch, context, changed] {
    rcl_wait_set_t set = rcl_get_zero_initialized_wait_set();
    if (rcl_wait_set_init(&set, 0, 2, 0, 0, 0, 0, context, rcl_get_default_allocator()) != RCL_RET_OK) return;
    for (;;) {
      if (rcl_wait_set_clear(&set) != RCL_RET_OK) break;
      if (rcl_wait_set_add_guard_condition(&set, changed, nullptr) != RCL_RET_OK) break;
      if (rcl_wait_set_add_guard_condition(&set, &watch->stop, nullptr) != RCL_RET_OK) break;
      if (rcl_wait(&set, -1) != RCL_RET_OK) break;
      if (set.guard_conditions[1]) break;
      if (set.guard_conditions[0]) Listener::Came(watch->listener, 1);
    }
    rcl_reset_error();
    (void)!rcl_wait_set_fini(&set);
  });
  return RclHandle::NewInstance(env, watch, nullptr, [](void* pointer) {
    auto watch = static_cast<GraphWatch*>(pointer);
    (void)!rcl_trigger_guard_condition(&watch->stop);
    watch->thread.join();
    watch->listener->Release();
    if (rcl_guard_condition_fini(&watch->stop) != RCL_RET_OK) rcl_reset_error();
    delete watch;
  });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports = InitModule(env, exports);
  auto ours = Napi::Object::New(env);
  auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    ours.Set(name, Napi::Function::New(env, function, name));
  };
  add("preload", Preload);
  add("createPublisher", CreatePublisher);
  add("publish", Publish);
  add("createSubscription", CreateSubscription);
  add("take", Take);
  add("serviceType", ServiceType);
  add("createService", CreateService);
  add("createClient", CreateClient);
  add("takeRequest", TakeRequest);
  add("sendResponse", SendResponse);
  add("sendRequest", SendRequest);
  add("takeResponse", TakeResponse);
  add("createPublisherEvent", CreatePublisherEvent);
  add("createSubscriptionEvent", CreateSubscriptionEvent);
  add("watchGraph", WatchGraph);
  exports.Set("mlsys", ours);
  return exports;
}

}  // namespace mlsys

static napi_value mlsys_register(napi_env env, napi_value exports) {
  return Napi::RegisterModule(env, exports, mlsys::Init);
}
NAPI_MODULE(rclnodejs, mlsys_register)
