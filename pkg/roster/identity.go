package roster

import (
	"regexp"
	"strconv"
	"strings"
)

// told is what says which machine this is.
type told struct {
	id   int
	by   string // for people
	rank bool   // an engine has counted its processes
	size int    // how many processes it has started; 0: not said
}

// rank is how an engine numbers its processes.
type rank struct {
	id   string
	size []string
	mpi  bool
}

// ranks are looked at in this order.
var ranks = []rank{
	{id: "SLURM_PROCID", size: []string{"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}},
	{id: "JOB_COMPLETION_INDEX"},
	{id: "PMIX_RANK", size: []string{"OMPI_COMM_WORLD_SIZE"}, mpi: true},
	{id: "OMPI_COMM_WORLD_RANK", size: []string{"OMPI_COMM_WORLD_SIZE"}, mpi: true},
	{id: "PMI_RANK", size: []string{"PMI_SIZE"}, mpi: true},
	{id: "RANK", size: []string{"WORLD_SIZE"}},
}

// tell returns what says which machine this is, but for what the peers and the name of
// the host may say; nil for nothing.
func tell(req Request, w World) (*told, error) {
	if req.ID != "" && req.ID != Auto {
		n, err := numeral(req.ID)
		if err != nil {
			return nil, wrong("id", strconv.Quote(req.ID), "want auto, a number from 0, or a name that ends in one, such as vm-1")
		}
		t := &told{by: req.ID}
		if t.id, err = based(n, req.Base, req.ID); err != nil {
			return nil, err
		}
		if strconv.Itoa(n) == req.ID {
			t.by = Told
		}
		return t, nil
	}
	r, found := nearest(w)
	if !found {
		return nil, nil
	}
	value := w.Getenv(r.id)
	n, err := number(value)
	if err != nil {
		return nil, wrong("id", "", "%s=%s: want a number", r.id, value)
	}
	t := &told{by: r.id, rank: true}
	if t.id, err = based(n, req.Base, r.id+"="+value); err != nil {
		return nil, err
	}
	for _, name := range r.size {
		if size, err := number(w.Getenv(name)); err == nil && t.size == 0 {
			t.size = size
		}
	}
	return t, nil
}

// nearest returns the rank that the program has given which started this process: the
// first that is there, unless mpirun was started in an engine's job: then each of its
// processes has inherited one rank of the engine's.
func nearest(w World) (first rank, found bool) {
	for _, r := range ranks {
		switch value := w.Getenv(r.id); {
		case value == "":
		case !found:
			first, found = r, true
		case r.mpi && !first.mpi && value != w.Getenv(first.id):
			return r, true
		}
	}
	return first, found
}

// based returns the id that a number stands for.
func based(n, base int, from string) (int, error) {
	if n < base {
		return 0, wrong("id", "", "%s is below the number of machine 0, which is %d", from, base)
	}
	return n - base, nil
}

// numeral reads a number, or a name that ends in one.
func numeral(s string) (int, error) {
	if n, err := number(s); err == nil {
		return n, nil
	}
	m := namedForm.FindStringSubmatch(s)
	if m == nil {
		return number("")
	}
	return number(m[1])
}

var (
	namedForm = regexp.MustCompile(`^[A-Za-z](?:[A-Za-z0-9._@-]*[A-Za-z._@-])?([0-9]+)$`)
	// hostNumber finds the number of a host: a last word that is one (vm-2), or behind
	// letters alone (node07).
	hostNumber = regexp.MustCompile(`^(?:.*[-_]|[A-Za-z]+)([0-9]+)$`)
	// containerName is what a container without a name of its own is called.
	containerName = regexp.MustCompile(`^[0-9a-f]{12}(?:[0-9a-f]{52})?$`)
)

// ordinal returns the number at the end of a host's name.
func ordinal(host string) (n int, ok bool) {
	label, _, _ := strings.Cut(host, ".")
	if containerName.MatchString(label) {
		return 0, false
	}
	m := hostNumber.FindStringSubmatch(label)
	if m == nil {
		return 0, false
	}
	n, err := number(m[1])
	return n, err == nil
}
