// PHOLD on SimGrid's timers: phold PROCESSES REMOTE SECONDS SEED
//
// One event for each logical process at the start. Executing an event schedules the next
// one, 0.1 and an exponential time of mean 0.9 later, with probability REMOTE at another
// process. Fujimoto, "Performance of Time Warp under synthetic workloads", 1990.
//
// An event is a timer of the kernel: actors that sleep and communicate, the other way to say
// it in SimGrid, cost several times as much.

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace sg4 = simgrid::s4u;
using simgrid::kernel::timer::Timer;

namespace {

constexpr double lookahead = 0.1, mean = 0.9;

std::mt19937_64 random64;
std::vector<uint64_t> executed;
double remote, end_of_run;
uint64_t hops;

double unit() { return static_cast<double>(random64() >> 11) * 0x1p-53; }

void schedule(uint64_t lp);

void execute(uint64_t lp) {
  ++executed[lp];
  if (unit() < remote) {
    const uint64_t to = static_cast<unsigned __int128>(random64()) * (executed.size() - 1) >> 64;
    lp = to + (to >= lp);
    ++hops;
  }
  schedule(lp);
}

void schedule(uint64_t lp) {
  const double due = sg4::Engine::get_clock() + lookahead - mean * std::log(1 - unit());
  if (due <= end_of_run) // the simulation ends when nothing is left
    Timer::set(due, [lp] { execute(lp); });
}

} // namespace

int main(int argc, char **argv) {
  sg4::Engine engine(&argc, argv);
  if (argc != 5)
    return 2;
  executed.resize(std::strtoull(argv[1], nullptr, 10));
  remote = std::atof(argv[2]);
  end_of_run = std::atof(argv[3]);
  random64.seed(std::strtoull(argv[4], nullptr, 10));
  sg4::NetZone *zone = sg4::create_full_zone("zone");
  sg4::Host *host = zone->create_host("host", 1e9);
  zone->seal();

  // The kernel lives as long as an actor does.
  sg4::Actor::create("end", host, [] { sg4::this_actor::sleep_until(end_of_run); });
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t lp = 0; lp < executed.size(); ++lp)
    schedule(lp);
  engine.run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  unsigned long long events = 0;
  for (const uint64_t n : executed)
    events += n;
  std::printf("events %llu remote %llu seconds %.6f\n", events, static_cast<unsigned long long>(hops), took.count());
}
