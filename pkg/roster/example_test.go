package roster_test

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/roster"
)

// Three processes of one environment, which Slurm has started on three nodes.
func ExampleResolve() {
	for rank := range 3 {
		env := map[string]string{
			"SLURM_PROCID":        fmt.Sprint(rank),
			"SLURM_NTASKS":        "3",
			"SLURM_JOB_NODELIST":  "n[08-09],login",
			"SLURM_STEP_NODELIST": "n[08-10]",
		}
		r, err := roster.Resolve(roster.Request{Peers: "{hosts}:2050"}, roster.World{
			Hostname: fmt.Sprintf("n%02d", 8+rank),
			Getenv:   func(name string) string { return env[name] },
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("machine", r.ID, "listens on", r.Port, "and its peers are", r.Peers)
	}
	// Output:
	// machine 0 listens on 2050 and its peers are [{1 n09:2050} {2 n10:2050}]
	// machine 1 listens on 2050 and its peers are [{0 n08:2050} {2 n10:2050}]
	// machine 2 listens on 2050 and its peers are [{0 n08:2050} {1 n09:2050}]
}

func ExampleParsePeers() {
	peers, err := roster.ParsePeers("1=hostb:3050, hostc:4050", nil)
	fmt.Println(peers, err)

	peers, err = roster.ParsePeers("vm-{0..1}.lamport:2050", nil)
	fmt.Println(peers, err)

	_, err = roster.ParsePeers("hostb", nil)
	fmt.Println(err)
	// Output:
	// [{1 hostb:3050} {-1 hostc:4050}] <nil>
	// [{-1 vm-0.lamport:2050} {-1 vm-1.lamport:2050}] <nil>
	// peers: peer "hostb": want host:port or id=host:port, such as hostb:3050 or 1=hostb:3050
}
