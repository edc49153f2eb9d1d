// PHOLD on the event core of ns-3: phold PROCESSES REMOTE SECONDS SEED
//
// One event for each logical process at the start. Executing an event schedules the next
// one, 0.1 and an exponential time of mean 0.9 later, with probability REMOTE at another
// process. Fujimoto, "Performance of Time Warp under synthetic workloads", 1990.

#include <ns3/core-module.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

using namespace ns3;

namespace {

constexpr double lookahead = 0.1, mean = 0.9;

std::mt19937_64 random64;
std::vector<uint64_t> executed;
double remote;
uint64_t hops;

double Unit() { return static_cast<double>(random64() >> 11) * 0x1p-53; }

void Execute(uint64_t lp);

void Schedule(uint64_t lp) { Simulator::Schedule(Seconds(lookahead - mean * std::log(1 - Unit())), &Execute, lp); }

void Execute(uint64_t lp) {
  ++executed[lp];
  if (Unit() < remote) {
    const uint64_t to = static_cast<unsigned __int128>(random64()) * (executed.size() - 1) >> 64;
    lp = to + (to >= lp);
    ++hops;
  }
  Schedule(lp);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 5)
    return 2;
  executed.resize(std::strtoull(argv[1], nullptr, 10));
  remote = std::atof(argv[2]);
  random64.seed(std::strtoull(argv[4], nullptr, 10));
  ObjectFactory scheduler("ns3::PriorityQueueScheduler");
  Simulator::SetScheduler(scheduler);

  const auto began = std::chrono::steady_clock::now();
  for (uint64_t lp = 0; lp < executed.size(); ++lp)
    Schedule(lp);
  Simulator::Stop(Seconds(std::atof(argv[3])));
  Simulator::Run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  unsigned long long events = 0;
  for (const uint64_t n : executed)
    events += n;
  std::printf("events %llu remote %llu seconds %.6f\n", events, static_cast<unsigned long long>(hops), took.count());
  Simulator::Destroy();
}
