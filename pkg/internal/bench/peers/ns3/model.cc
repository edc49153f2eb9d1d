// The model of docs/model.md on the event core of ns-3: model MACHINES SECONDS SEED
//
// Three machines have the rates 1, 5 and 4; others have 1 to 6 in turn. A tick is an event,
// and so is the arrival of a message: the core alone, without nodes, devices and packets,
// which is the fastest that ns-3 can be. The priority queue is its fastest scheduler here.

#include <ns3/core-module.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

using namespace ns3;

namespace {

constexpr int die = 10;
const Time latency = MilliSeconds(1);

struct Counts {
  uint64_t internal = 0, sends = 0, receives = 0, messages = 0;
};

class Machine {
public:
  void Start(int id, int rate, std::vector<Machine> *all, uint64_t seed, Counts *counts) {
    m_id = id;
    m_rate = rate;
    m_all = all;
    m_random.seed(seed + id);
    m_counts = counts;
    Next();
  }

  void Deliver(uint64_t stamp) { m_queue.push_back(stamp); }

private:
  // Tick k is due at k / rate, rounded down to nanoseconds.
  void Next() {
    const int64_t due = static_cast<int64_t>(++m_k) * 1'000'000'000 / m_rate;
    Simulator::Schedule(NanoSeconds(due) - Simulator::Now(), &Machine::Tick, this);
  }

  uint64_t Below(uint64_t n) { return static_cast<unsigned __int128>(m_random()) * n >> 64; }

  void Send(uint64_t to) {
    Simulator::Schedule(latency, &Machine::Deliver, &(*m_all)[to], m_clock);
    ++m_counts->messages;
  }

  void Tick() {
    Next();
    if (!m_queue.empty()) {
      m_clock = std::max(m_clock, m_queue.front()) + 1;
      m_queue.pop_front();
      ++m_counts->receives;
      return;
    }
    ++m_clock;
    const uint64_t face = Below(die);
    if (face > 2) {
      ++m_counts->internal;
      return;
    }
    ++m_counts->sends;
    const uint64_t n = m_all->size(), id = m_id;
    uint64_t a, b;
    if (n == 3) {
      a = (id + 1) % 3;
      b = (id + 2) % 3;
    } else {
      a = Below(n - 1);
      b = Below(n - 2);
      b += b >= a;
      a += a >= id;
      b += b >= id;
    }
    if (face != 1)
      Send(a);
    if (face != 0)
      Send(b);
  }

  int m_id = 0, m_rate = 1;
  uint64_t m_k = 0, m_clock = 0;
  std::deque<uint64_t> m_queue;
  std::vector<Machine> *m_all = nullptr;
  std::mt19937_64 m_random;
  Counts *m_counts = nullptr;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  const int n = std::atoi(argv[1]);
  const double seconds = std::atof(argv[2]);
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  ObjectFactory scheduler("ns3::PriorityQueueScheduler");
  Simulator::SetScheduler(scheduler);

  Counts counts;
  std::vector<Machine> machines(n);
  const auto began = std::chrono::steady_clock::now();
  const int three[] = {1, 5, 4};
  for (int i = 0; i < n; ++i)
    machines[i].Start(i, n == 3 ? three[i] : 1 + i % 6, &machines, seed, &counts);
  Simulator::Stop(Seconds(seconds) + MicroSeconds(1));
  Simulator::Run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("events %llu internal %llu sends %llu receives %llu messages %llu seconds %.6f\n",
              static_cast<unsigned long long>(counts.internal + counts.sends + counts.receives),
              static_cast<unsigned long long>(counts.internal), static_cast<unsigned long long>(counts.sends),
              static_cast<unsigned long long>(counts.receives), static_cast<unsigned long long>(counts.messages), took.count());
  Simulator::Destroy();
}
