package roster

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/transport"
)

// world returns one with this host name, these variables (NAME=value, apart by spaces),
// the address 10.0.0.1, and names that have an address here or elsewhere.
func world(host, env string) World {
	vars := make(map[string]string)
	for _, v := range strings.Fields(env) {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	return World{
		Getenv:   func(name string) string { return vars[name] },
		Hostname: host,
		Addrs:    []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
		Lookup: func(names []string) map[string][]netip.Addr {
			found := make(map[string][]netip.Addr)
			for _, name := range names {
				switch {
				case strings.HasPrefix(name, "me"):
					found[name] = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:10.0.0.1")}
				case strings.HasPrefix(name, "other"), strings.HasSuffix(name, ".elsewhere"):
					found[name] = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
				}
			}
			return found
		},
		ReadFile: func(name string) ([]byte, error) {
			switch name {
			case "/nodes":
				return []byte("# of the job\nn1\nn1\nn2 # the last\n"), nil
			case "/empty":
				return []byte(" \n"), nil
			case "/secret":
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
}

// text returns a roster in a line: the id and what told it, the own entry and port, and
// the peers with the ids that are known.
func text(r *Roster) string {
	var peers []string
	for _, p := range r.Peers {
		if p.ID == transport.AnyID {
			peers = append(peers, p.Addr)
		} else {
			peers = append(peers, fmt.Sprintf("%d=%s", p.ID, p.Addr))
		}
	}
	own := r.Own
	if own == "" {
		own = "-"
	}
	return fmt.Sprintf("%d by %s of %d, own %s, port %d: %s", r.ID, r.By, r.Machines, own, r.Port, strings.Join(peers, ","))
}

func TestResolve(t *testing.T) {
	const (
		hosts = "hosta:2050,hostb:3050,hostc:4050"
		named = "0=hosta:2050,1=hostb:3050,2=hostc:4050"
		local = "127.0.0.1:{2050..2052}"
	)
	for _, tt := range []struct {
		name      string
		req       Request
		host, env string
		want      string
	}{
		// The others, as they always were given.
		{"the others", Request{ID: "0", Port: 2050, Peers: "hostb:3050,hostc:4050"}, "hosta", "", "0 by the id given of 3, own -, port 2050: hostb:3050,hostc:4050"},
		{"the others by id", Request{ID: "1", Port: 3050, Peers: "0=hosta:2050,2=hostc:4050"}, "hostb", "", "1 by the id given of 3, own -, port 3050: 0=hosta:2050,2=hostc:4050"},
		{"the others on this host", Request{ID: "0", Port: 2050, Peers: "127.0.0.1:3050,localhost:4050"}, "hosta", "", "0 by the id given of 3, own -, port 2050: 127.0.0.1:3050,localhost:4050"},
		{"the others, one with this one's port", Request{ID: "0", Port: 2050, Peers: "other:2050,hostc:2050"}, "hosta", "", "0 by the id given of 3, own -, port 2050: other:2050,hostc:2050"},
		{"nobody else", Request{ID: "0", Port: 2050}, "vm-2", "", "0 by the id given of 1, own -, port 2050: "},
		{"without a port", Request{ID: "0", Peers: "hostb:3050"}, "hosta", "", "0 by the id given of 2, own -, port 0: hostb:3050"},
		// One list for all.
		{"by host name", Request{Peers: hosts}, "hostb", "", "1 by hostb:3050 of the peers of 3, own hostb:3050, port 3050: 0=hosta:2050,2=hostc:4050"},
		{"by host name, in other letters", Request{ID: Auto, Peers: hosts}, "HostB", "", "1 by hostb:3050 of the peers of 3, own hostb:3050, port 3050: 0=hosta:2050,2=hostc:4050"},
		{"by host name, before its number", Request{Peers: "node1:1,node2:1"}, "node2", "", "1 by node2:1 of the peers of 2, own node2:1, port 1: 0=node1:1"},
		{"the host's name has a domain", Request{Peers: hosts}, "hostc.example.org", "", "2 by hostc:4050 of the peers of 3, own hostc:4050, port 4050: 0=hosta:2050,1=hostb:3050"},
		{"the entry has a domain", Request{Peers: "vm-{0..2}.lamport:2050"}, "vm-1", "", "1 by vm-1.lamport:2050 of the peers of 3, own vm-1.lamport:2050, port 2050: 0=vm-0.lamport:2050,2=vm-2.lamport:2050"},
		{"a namesake elsewhere is another", Request{ID: "1", Port: 2050, Peers: "vm.elsewhere:2050"}, "vm", "", "1 by the id given of 2, own -, port 2050: vm.elsewhere:2050"},
		{"a namesake in another domain", Request{ID: "1", Port: 1, Peers: "vm.a:1"}, "vm.b", "", "1 by the id given of 2, own -, port 1: vm.a:1"},
		{"by address", Request{Peers: "10.0.0.2:1,10.0.0.1:1"}, "hosta", "", "1 by 10.0.0.1:1 of the peers of 2, own 10.0.0.1:1, port 1: 0=10.0.0.2:1"},
		{"by IPv6 address", Request{Peers: "[2001:db8::1]:1,[2001:db8::2]:1"}, "hosta", "", "0 by [2001:db8::1]:1 of the peers of 2, own [2001:db8::1]:1, port 1: 1=[2001:db8::2]:1"},
		{"by the address of a name", Request{Peers: "other:1,me:1"}, "3f2a9c1b4d57", "", "1 by me:1 of the peers of 2, own me:1, port 1: 0=other:1"},
		{"by the address of a name, and told", Request{ID: "vm-1", Peers: "other:1,me:1"}, "x", "", "1 by vm-1 of 2, own me:1, port 1: 0=other:1"},
		{"by port", Request{Port: 2051, Peers: local}, "hosta", "", "1 by 127.0.0.1:2051 of the peers of 3, own 127.0.0.1:2051, port 2051: 0=127.0.0.1:2050,2=127.0.0.1:2052"},
		{"by id", Request{ID: "2", Peers: local}, "hosta", "", "2 by the id given of 3, own 127.0.0.1:2052, port 2052: 0=127.0.0.1:2050,1=127.0.0.1:2051"},
		{"by id and port", Request{ID: "2", Port: 2052, Peers: local}, "hosta", "", "2 by the id given of 3, own 127.0.0.1:2052, port 2052: 0=127.0.0.1:2050,1=127.0.0.1:2051"},
		{"entries with ids, by id", Request{ID: "1", Peers: named}, "elsewhere", "", "1 by the id given of 3, own hostb:3050, port 3050: 0=hosta:2050,2=hostc:4050"},
		{"entries with ids, behind another port", Request{ID: "1", Port: 9, Peers: named}, "elsewhere", "", "1 by the id given of 3, own hostb:3050, port 9: 0=hosta:2050,2=hostc:4050"},
		{"entries with ids, by host", Request{Peers: "2=hosta:1,0=hostb:1,1=hostc:1"}, "hosta", "", "2 by hosta:1 of the peers of 3, own hosta:1, port 1: 0=hostb:1,1=hostc:1"},
		{"some with ids", Request{ID: "1", Port: 1, Peers: "hosta:1,0=hostb:1,hostc:1"}, "hosta", "", "1 by the id given of 3, own hosta:1, port 1: 0=hostb:1,hostc:1"},
		{"alone in its list", Request{ID: "0", Peers: "0=b:1"}, "b", "", "0 by the id given of 1, own b:1, port 1: "},
		// What says the id.
		{"a name for an id", Request{ID: "vm-1", Port: 1, Peers: "b:1,c:1"}, "a", "", "1 by vm-1 of 3, own -, port 1: b:1,c:1"},
		{"from 1", Request{ID: "1", Base: 1, Port: 1, Peers: "b:1,c:1"}, "a", "", "0 by the id given of 3, own -, port 1: b:1,c:1"},
		{"from 1, by host name", Request{Base: 1, Port: 1, Peers: "b:1,c:1"}, "task-3", "", "2 by the host name task-3 of 3, own -, port 1: b:1,c:1"},
		{"the host's number", Request{Port: 1, Peers: "b:1,c:1"}, "node02.example.org", "", "2 by the host name node02.example.org of 3, own -, port 1: b:1,c:1"},
		{"Slurm", Request{Port: 1, Peers: "b:1,c:1"}, "vm-2", "SLURM_PROCID=1", "1 by SLURM_PROCID of 3, own -, port 1: b:1,c:1"},
		{"Kubernetes", Request{Peers: "vm-{0..2}.lamport:2050"}, "vm-1", "JOB_COMPLETION_INDEX=1", "1 by JOB_COMPLETION_INDEX of 3, own vm-1.lamport:2050, port 2050: 0=vm-0.lamport:2050,2=vm-2.lamport:2050"},
		{"PMIx", Request{Port: 1, Peers: "b:1"}, "x", "PMIX_RANK=1 OMPI_COMM_WORLD_RANK=1", "1 by PMIX_RANK of 2, own -, port 1: b:1"},
		{"Open MPI", Request{Port: 1, Peers: "b:1"}, "x", "OMPI_COMM_WORLD_RANK=1 PMI_RANK=0", "1 by OMPI_COMM_WORLD_RANK of 2, own -, port 1: b:1"},
		{"MPICH", Request{Port: 1, Peers: "b:1"}, "x", "PMI_RANK=1 RANK=0", "1 by PMI_RANK of 2, own -, port 1: b:1"},
		{"others", Request{Port: 1, Peers: "b:1"}, "x", "RANK=1", "1 by RANK of 2, own -, port 1: b:1"},
		{"mpirun in a job of Slurm", Request{Port: 1, Peers: "b:1,c:1"}, "x", "SLURM_PROCID=0 OMPI_COMM_WORLD_RANK=2", "2 by OMPI_COMM_WORLD_RANK of 3, own -, port 1: b:1,c:1"},
		{"Slurm with PMIx", Request{Port: 1, Peers: "b:1,c:1"}, "x", "SLURM_PROCID=2 PMIX_RANK=2", "2 by SLURM_PROCID of 3, own -, port 1: b:1,c:1"},
		{"the rank before the host's number", Request{Port: 1, Peers: "b:1,c:1"}, "vm-0", "SLURM_PROCID=2", "2 by SLURM_PROCID of 3, own -, port 1: b:1,c:1"},
		{"an id before the rank", Request{ID: "1", Port: 1, Peers: "b:1,c:1"}, "vm-0", "SLURM_PROCID=2", "1 by the id given of 3, own -, port 1: b:1,c:1"},
		// Engines that say their hosts.
		{"srun alone", Request{}, "n2", "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=3 SLURM_STEP_NODELIST=n[1-3]", "1 by SLURM_PROCID of 3, own n2:2050, port 2050: 0=n1:2050,2=n3:2050"},
		{"srun with a pattern", Request{Peers: "{hosts}:3000"}, "n2", "SLURM_PROCID=1 SLURM_NTASKS=3 SLURM_JOB_NODELIST=n[1-3]", "1 by SLURM_PROCID of 3, own n2:3000, port 3000: 0=n1:3000,2=n3:3000"},
		{"srun under other names", Request{}, "ip-10-0-0-7", "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NODELIST=n[1-2]", "1 by SLURM_PROCID of 2, own n2:2050, port 2050: 0=n1:2050"},
		{"srun, the name of the node", Request{}, "x", "SLURM_PROCID=1 SLURMD_NODENAME=n2 SLURM_JOB_NODELIST=n[1-2]", "1 by SLURM_PROCID of 2, own n2:2050, port 2050: 0=n1:2050"},
		{"srun, two tasks on a node", Request{}, "n1", "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=3 SLURM_STEP_NODELIST=n[1-2] SLURM_STEP_TASKS_PER_NODE=2,1", "1 by SLURM_PROCID of 3, own n1:2051, port 2051: 0=n1:2050,2=n2:2050"},
		{"srun, ports by a range", Request{Peers: "{hosts}:{2050..2051}"}, "n2", "SLURM_PROCID=2 SLURM_NTASKS=4 SLURM_JOB_NODELIST=n[1-2]", "2 by SLURM_PROCID of 4, own n2:2050, port 2050: 0=n1:2050,1=n1:2051,3=n2:2051"},
		{"a launcher's machine in a job", Request{ID: "0", Alone: true, Port: 1}, "n1", "SLURM_PROCID=0 SLURM_JOB_NODELIST=n[1-3]", "0 by the id given of 1, own -, port 1: "},
		{"mpirun on one host", Request{}, "x", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=3", "1 by OMPI_COMM_WORLD_RANK of 3, own 127.0.0.1:2051, port 2051: 0=127.0.0.1:2050,2=127.0.0.1:2052"},
		{"mpirun on several", Request{Hosts: "n[1-2]"}, "n2", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=1", "1 by OMPI_COMM_WORLD_RANK of 2, own n2:2050, port 2050: 0=n1:2050"},
		{"PBS", Request{}, "n1", "PMI_RANK=1 PMI_SIZE=3 PBS_NODEFILE=/nodes", "1 by PMI_RANK of 3, own n1:2051, port 2051: 0=n1:2050,2=n2:2050"},
		{"hosts of a file", Request{Hosts: "@/nodes", Peers: "{hosts}:1"}, "n2", "", "1 by n2:1 of the peers of 2, own n2:1, port 1: 0=n1:1"},
		{"hosts alone", Request{Hosts: "a,b,a", ID: "2"}, "a", "", "2 by the id given of 3, own a:2051, port 2051: 0=a:2050,1=b:2050"},
		{"hosts by IPv6", Request{Hosts: "2001:db8::2,2001:db8::1"}, "x", "", "1 by [2001:db8::1]:2050 of the peers of 2, own [2001:db8::1]:2050, port 2050: 0=[2001:db8::2]:2050"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(tt.req, world(tt.host, tt.env))
			require.NoError(t, err)
			assert.Equal(t, tt.want, text(got))
		})
	}
}

func TestResolveSaysWhatIsWrong(t *testing.T) {
	const (
		nothing = "id: nothing says which machine this is, 0, 1, …: not the environment, no number at the end of the host name %s, and no entry of the peers is this host's"
		form    = "want auto, a number from 0, or a name that ends in one, such as vm-1"
	)
	for _, tt := range []struct {
		name      string
		req       Request
		host, env string
		want      string
	}{
		{"nothing", Request{Port: 1, Peers: "b:1"}, "a", "", fmt.Sprintf(nothing, "a")},
		{"the name of a container", Request{Port: 1, Peers: "b:1,c:1"}, "3f2a9c1b4d01", "", fmt.Sprintf(nothing, "3f2a9c1b4d01")},
		{"a name of chance", Request{Port: 1, Peers: "b:1,c:1"}, "vm-7d9f8b6c5d-x2k41", "", fmt.Sprintf(nothing, "vm-7d9f8b6c5d-x2k41")},
		{"no number", Request{ID: "x"}, "a", "", `id "x": ` + form},
		{"below 0", Request{ID: "-1"}, "a", "", `id "-1": ` + form},
		{"too long", Request{ID: "vm-99999999999999999999"}, "a", "", `id "vm-99999999999999999999": ` + form},
		{"too large", Request{ID: "3", Port: 1, Peers: "b:1,c:1"}, "a", "", "id: machine 3 by the id given, in a run of 3: ids are 0 to 2"},
		{"without peers", Request{ID: "1", Port: 1}, "a", "", "id: machine 1 by the id given, and there are no others: --peers lists them"},
		{"too large, from the host", Request{Port: 1, Peers: "b:1,c:1"}, "vm-3", "", "id: machine 3 by the host name vm-3, in a run of 3: ids are 0 to 2"},
		{"too large for a list of all", Request{ID: "3", Peers: "a:1,b:1,c:1"}, "a", "", "id: machine 3 by the id given, but the peers are 3 machines with this one: ids are 0 to 2"},
		{"below the base", Request{ID: "0", Base: 1}, "a", "", "id: 0 is below the number of machine 0, which is 1"},
		{"a rank below the base", Request{Base: 1}, "a", "SLURM_PROCID=0", "id: SLURM_PROCID=0 is below the number of machine 0, which is 1"},
		{"no rank", Request{}, "a", "SLURM_PROCID=first", "id: SLURM_PROCID=first: want a number"},
		{"another place", Request{ID: "2", Peers: "a:1,b:1,c:1"}, "a", "", "id: machine 2 by the id given, but of the peers a:1 is this host's, in the place of machine 0: list all machines in the order of their ids, or as id=host:port"},
		{"another place by port", Request{ID: "0", Port: 2051, Peers: "127.0.0.1:{2050..2052}"}, "a", "", "id: machine 0 by the id given, but of the peers 127.0.0.1:2051 is this host's, in the place of machine 1: list all machines in the order of their ids, or as id=host:port"},
		{"another id", Request{ID: "2", Port: 1, Peers: "0=a:1,1=b:1"}, "a", "", "id: machine 2 by the id given, but a:1 of the peers, machine 0, is this host's"},
		{"several here", Request{Peers: "127.0.0.1:{2050..2052}"}, "vm-1", "", "id: nothing says which machine this is: 127.0.0.1:2050 and 127.0.0.1:2051 of the peers are both this host's"},
		{"several here by id", Request{Peers: "0=a:1,1=a:2"}, "a", "", "id: nothing says which machine this is: a:1 and a:2 of the peers are both this host's"},
		{"here without an id", Request{Peers: "a:1,1=b:1"}, "a", "", "id: nothing says which machine this is: a:1 of the peers is this host's, and has no id"},
		{"one id twice", Request{ID: "0", Port: 1, Peers: "1=b:1,1=c:1"}, "a", "", "peers: peers b:1 and c:1 have one id, 1"},
		{"an id too large among the peers", Request{ID: "0", Port: 1, Peers: "2=b:1"}, "a", "", "peers: peer b:1 has id 2: with 1 peer, ids are 0 to 1"},
		{"mpirun on several hosts", Request{}, "x-1", "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=1", "peers: nothing says where the other 2 of the 3 processes are that OMPI_COMM_WORLD_RANK tells of: --hosts or --peers does"},
		{"hosts of nobody", Request{Peers: "{hosts}:1"}, "a", "", "hosts: nothing says what {hosts} stands for: neither SLURM_JOB_NODELIST nor PBS_NODEFILE is set"},
		{"hosts for nothing", Request{Peers: "b:1", Hosts: "a,b"}, "a", "", "hosts: no {hosts} in the peers stands for them: want peers such as {hosts}:2050"},
		{"a list that is broken", Request{}, "a", "SLURM_PROCID=0 SLURM_JOB_NODELIST=n[1-", "hosts: SLURM_JOB_NODELIST: host \"n[1-\": a [ without its ]"},
		{"counts of tasks that are broken", Request{}, "a", "SLURM_PROCID=0 SLURM_JOB_NODELIST=n[1-2] SLURM_TASKS_PER_NODE=x", "hosts: SLURM_TASKS_PER_NODE: \"x\": want numbers of tasks such as 2(x3),1"},
		{"hosts twice", Request{Peers: "{slots}:2050", Hosts: "a,a"}, "a", "", `peers: peer "a:2050" is listed twice; a port with a +, such as 2050+, counts up for a host that comes again`},
		{"a file that is not ours", Request{Hosts: "/secret"}, "a", "", "hosts: open /secret: permission denied"},
		{"a file that is not there", Request{Hosts: "@/missing"}, "a", "", "the file of hosts /missing is not there, or empty"},
		{"an empty file", Request{Hosts: "/empty"}, "a", "", "the file of hosts /empty is not there, or empty"},
		{"no file", Request{Hosts: "@"}, "a", "", `hosts "@": want the name of a file behind the @`},
		{"no host", Request{Hosts: " "}, "a", "", "hosts: no host"},
		{"the engine's file is not there", Request{}, "a", "RANK=0 PBS_NODEFILE=/missing", "the file of hosts /missing is not there, or empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Resolve(tt.req, world(tt.host, tt.env))
			require.EqualError(t, err, tt.want)
			assert.Nil(t, r)
			if errors.As(err, new(*AbsentError)) {
				return
			}
			assert.ErrorAs(t, err, new(*experiment.Error), "it names a part of the run")
		})
	}
}

// Whatever the host, one list gives all machines the same ids and addresses.
func TestOneListForAll(t *testing.T) {
	for _, list := range []string{"a:2050,b:3050,c:4050", "{hosts}:2050", "{slots}:2050+", "0=a:1,2=c:1,1=b:1"} {
		var seen []string
		for id, host := range []string{"a", "b", "c"} {
			req := Request{Peers: list}
			if strings.Contains(list, "s}") {
				req.Hosts = "a,b,c"
			}
			r, err := Resolve(req, world(host, ""))
			require.NoError(t, err)
			require.Equal(t, id, r.ID)
			all := make([]string, 3)
			all[id] = r.Own
			for _, p := range r.Peers {
				all[p.ID] = p.Addr
			}
			seen = append(seen, strings.Join(all, ","))
			assert.Equal(t, strconv.Itoa(r.Port), r.Own[strings.Index(r.Own, ":")+1:])
		}
		assert.Equal(t, []string{seen[0], seen[0], seen[0]}, seen)
	}
}
