// The backend of the benchmarks. It does next to nothing for a call, so that what is measured is before it.
// It says its port on stdout and serves until stdin ends.

#include <cstdio>
#include <memory>
#include <string>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "shop.grpc.pb.h"

namespace {

using bench::shop::v1::GetOrderRequest;
using bench::shop::v1::Item;
using bench::shop::v1::ItemList;
using bench::shop::v1::ListItemsRequest;
using bench::shop::v1::Order;
using bench::shop::v1::Shop;
using bench::shop::v1::Tick;
using bench::shop::v1::WatchRequest;

constexpr int kMostItems = 10000;

void FillItem(Item* item, int index) {
  char sku[32];
  std::snprintf(sku, sizeof sku, "SKU-%06d", index);
  item->set_sku(sku);
  item->set_quantity(1 + index % 9);
  item->set_price(10.25 + index % 80);
  item->set_status(bench::shop::v1::SHIPPED);
}

class Ticks final : public grpc::ServerWriteReactor<Tick> {
 public:
  explicit Ticks(int count) : left_(count) {
    tick_.set_symbol("ACME");
    Next();
  }
  void OnWriteDone(bool ok) override { ok ? Next() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (left_ == 0) return Finish(grpc::Status::OK);
    tick_.set_sequence(++sequence_);
    tick_.set_price(185.5 + sequence_ % 100 / 4.0);
    --left_;
    StartWrite(&tick_);
  }

  int left_;
  int64_t sequence_ = 0;
  Tick tick_;
};

class ShopService final : public Shop::CallbackService {
 public:
  ShopService() {
    for (int index = 0; index < 1000; ++index) FillItem(thousand_.add_items(), index);
  }

  grpc::ServerUnaryReactor* GetOrder(grpc::CallbackServerContext* context, const GetOrderRequest* request,
                                     Order* order) override {
    order->set_id(request->id());
    order->set_customer("customer-1");
    order->set_status(bench::shop::v1::SHIPPED);
    order->set_total_cents(18550);
    order->set_paid(true);
    order->mutable_created_at()->set_seconds(1767225600);
    return Done(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* CreateOrder(grpc::CallbackServerContext* context, const Order* request,
                                        Order* order) override {
    *order = *request;
    order->set_id("order-1");
    order->mutable_created_at()->set_seconds(1767225600);
    return Done(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ListItems(grpc::CallbackServerContext* context, const ListItemsRequest* request,
                                      ItemList* list) override {
    const int count = request->count();
    if (count < 0 || count > kMostItems) {
      return Done(context, {grpc::StatusCode::INVALID_ARGUMENT, "count is 0 to 10000"});
    }
    if (count == thousand_.items_size()) {
      *list = thousand_;
    } else {
      for (int index = 0; index < count; ++index) FillItem(list->add_items(), index);
    }
    return Done(context, grpc::Status::OK);
  }

  grpc::ServerWriteReactor<Tick>* Watch(grpc::CallbackServerContext*, const WatchRequest* request) override {
    return new Ticks(request->count());
  }

 private:
  static grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context, const grpc::Status& status) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  ItemList thousand_;
};

}  // namespace

int main() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  ShopService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}
