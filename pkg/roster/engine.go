package roster

import (
	"os"
	"strconv"
)

// host is what an engine leaves on a process that it has started.
type host struct {
	getenv func(name string) string
	exists func(path string) bool
	pid    int // of this process
	parent int // of its parent
}

// engines are what tells that an engine has started this process, and will end it with
// SIGTERM. The first that fits counts, the one that is nearest to the process: mpirun in a
// Slurm job comes before Slurm, and both before the container that they are in.
//
// A shell that an engine has started hands its environment down to what people start in
// it, which is then taken for the engine's, too. With systemd that would be every shell
// of a desktop, and with containers every shell in one; so these have to have started this very process.
var engines = []struct {
	name string
	fits func(host) bool
}{
	{"mpi", set("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK")},
	{"slurm", set("SLURM_PROCID", "SLURM_JOB_ID")},
	{"pbs", set("PBS_JOBID")},
	{"kubernetes", set("KUBERNETES_SERVICE_HOST")},
	{"podman", inContainer("/run/.containerenv")},
	{"docker", inContainer("/.dockerenv")},
	{"systemd", func(h host) bool { return h.getenv("SYSTEMD_EXEC_PID") == strconv.Itoa(h.pid) }},
}

// set returns whether any of these variables is in the environment.
func set(names ...string) func(host) bool {
	return func(h host) bool {
		for _, name := range names {
			if h.getenv(name) != "" {
				return true
			}
		}
		return false
	}
}

// inContainer returns whether this process is what a container runs: its first process,
// or the child of one that does nothing but reap, as with docker run --init.
func inContainer(mark string) func(host) bool {
	return func(h host) bool { return h.exists(mark) && (h.pid == 1 || h.parent == 1) }
}

// Engine returns the name of the engine that has started this process and ends it with
// SIGTERM when it wants the place for something else: "mpi", "slurm", "pbs", "kubernetes",
// "podman", "docker" or "systemd". It is "" where a person has.
func Engine(getenv func(name string) string) string {
	return engine(host{getenv, exists, os.Getpid(), os.Getppid()})
}

func engine(h host) string {
	for _, e := range engines {
		if e.fits(h) {
			return e.name
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
