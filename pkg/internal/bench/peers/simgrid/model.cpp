// The model of docs/model.md in SimGrid's S4U: model MACHINES SECONDS SEED
//
// Three machines have the rates 1, 5 and 4; others have 1 to 6 in turn. A machine is an
// actor on a host of its own, which sleeps until its ticks, and has a mailbox that takes
// what arrives while it sleeps. A message is a detached communication of no bytes over
// links with a latency of 1 ms in all. The model of the network is the plainest, without a
// TCP window and without factors, and is computed lazily, which is the fastest.

#include <simgrid/s4u.hpp>
#include <xbt/log.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace sg4 = simgrid::s4u;

namespace {

constexpr int die = 10;

struct Counts {
  uint64_t internal = 0, sends = 0, receives = 0, messages = 0;
} counts;

std::vector<sg4::Mailbox *> mailboxes;
double end_of_run;

void machine(int self, int rate, uint64_t seed) {
  std::mt19937_64 random(seed + self);
  const auto below = [&random](uint64_t n) { return static_cast<uint64_t>(static_cast<unsigned __int128>(random()) * n >> 64); };
  const uint64_t n = mailboxes.size(), id = self;
  sg4::Mailbox *const mailbox = mailboxes[id];
  mailbox->set_receiver(sg4::Actor::self()); // a message is on its way at once, whoever sleeps
  uint64_t clock = 0;
  const auto send = [&clock](uint64_t to) {
    mailboxes[to]->put_init(reinterpret_cast<void *>(clock), 0)->detach();
    ++counts.messages;
  };
  for (uint64_t k = 1;; ++k) {
    const double due = static_cast<double>(k) / rate;
    if (due > end_of_run)
      return;
    sg4::this_actor::sleep_until(due);
    if (mailbox->ready()) {
      const auto stamp = reinterpret_cast<uint64_t>(mailbox->get<void>());
      clock = std::max(clock, stamp) + 1;
      ++counts.receives;
      continue;
    }
    ++clock;
    const uint64_t face = below(die);
    if (face > 2) {
      ++counts.internal;
      continue;
    }
    ++counts.sends;
    uint64_t a, b;
    if (n == 3) {
      a = (id + 1) % 3;
      b = (id + 2) % 3;
    } else {
      a = below(n - 1);
      b = below(n - 2);
      b += b >= a;
      a += a >= id;
      b += b >= id;
    }
    if (face != 1)
      send(a);
    if (face != 0)
      send(b);
  }
}

} // namespace

int main(int argc, char **argv) {
  xbt_log_control_set("xbt_cfg.thresh:warning");
  sg4::Engine engine(&argc, argv);
  sg4::Engine::set_config("network/model:CM02");
  sg4::Engine::set_config("network/TCP-gamma:0");
  sg4::Engine::set_config("network/optim:Lazy");
  if (argc != 4)
    return 2;
  const int n = std::atoi(argv[1]);
  const double seconds = std::atof(argv[2]);
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  end_of_run = seconds + 1e-6;

  sg4::NetZone *zone = sg4::create_star_zone("star");
  std::vector<sg4::Host *> hosts;
  for (int i = 0; i < n; ++i) {
    const std::string name = std::to_string(i);
    sg4::Host *host = zone->create_host(name, 1e9);
    const sg4::Link *link = zone->create_link("link-" + name, 1e12)->set_latency(0.0005)->seal();
    zone->add_route(host->get_netpoint(), nullptr, nullptr, nullptr, {{link, sg4::LinkInRoute::Direction::NONE}}, true);
    hosts.push_back(host);
    mailboxes.push_back(sg4::Mailbox::by_name(name));
  }
  zone->seal();

  const int three[] = {1, 5, 4};
  for (int i = 0; i < n; ++i)
    sg4::Actor::create("machine", hosts[i], machine, i, n == 3 ? three[i] : 1 + i % 6, seed);
  const auto began = std::chrono::steady_clock::now();
  engine.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("events %llu internal %llu sends %llu receives %llu messages %llu seconds %.6f\n",
              static_cast<unsigned long long>(counts.internal + counts.sends + counts.receives),
              static_cast<unsigned long long>(counts.internal), static_cast<unsigned long long>(counts.sends),
              static_cast<unsigned long long>(counts.receives), static_cast<unsigned long long>(counts.messages), took.count());
}
