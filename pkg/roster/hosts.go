package roster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// AbsentError says that a file of hosts is not there, or has nothing in it yet. It may
// appear later.
type AbsentError struct{ File string }

func (e *AbsentError) Error() string {
	return fmt.Sprintf("the file of hosts %s is not there, or empty", e.File)
}

// Hosts reads hosts, each as often as it has places for machines. text is a list as
// Slurm writes it, "n[1-3,07-09],m4" (n1, n2, n3, n07, n08, n09, m4), or the name of a
// file: behind an @, or any with a slash in it.
//
// A file has a host per line, or such a list; "host slots=2" and "host:2", which
// other programs write, stand for two places. What is behind a # is for people.
func Hosts(text string, readFile func(string) ([]byte, error)) ([]string, error) {
	name, isFile := strings.CutPrefix(text, "@")
	if !isFile && !strings.ContainsAny(text, `/\`) {
		slots, err := nodes(text)
		if err == nil && len(slots) == 0 {
			err = errors.New("no host")
		}
		if err != nil {
			return nil, wrong("hosts", "", "%w", err)
		}
		return slots, nil
	}
	if name == "" {
		return nil, wrong("hosts", strconv.Quote(text), "want the name of a file behind the @")
	}
	content, err := readFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(bytes.TrimSpace(content)) == 0:
		return nil, &AbsentError{name}
	case err != nil:
		return nil, wrong("hosts", "", "%w", err)
	}
	slots, err := hostLines(content)
	if err == nil && len(slots) == 0 {
		err = errors.New("no host")
	}
	if err != nil {
		return nil, wrong("hosts", "", "%s: %w", name, err)
	}
	return slots, nil
}

// maxSlots is how many places for machines one line can give a host.
const maxSlots = 4096

// slotsTail finds the places behind a host. An IPv6 address has more colons.
var slotsTail = regexp.MustCompile(`^([^:\[\]]+):([0-9]+)$`)

// hostLines reads a file of hosts.
func hostLines(content []byte) (slots []string, err error) {
	if len(content) > maxText {
		return nil, fmt.Errorf("%d bytes: want at most %d", len(content), maxText)
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxText+1)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		places := "1"
		if m := slotsTail.FindStringSubmatch(words[0]); m != nil {
			words[0], places = m[1], m[2]
		}
		for _, word := range words[1:] {
			switch name, value, ok := strings.Cut(word, "="); {
			case !ok: // a second host would be overlooked
				return nil, fmt.Errorf("line %d: %.64q behind the host: want slots=NUMBER, or one host a line", n, word)
			case name == "slots": // others are for other programs
				places = value
			}
		}
		times, err := strconv.Atoi(places)
		if err != nil || times < 1 || times > maxSlots {
			return nil, fmt.Errorf("line %d: places for machines %.64q: want 1 to %d", n, places, maxSlots)
		}
		hosts, err := nodes(words[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(slots)+len(hosts)*times > MaxEntries {
			return nil, fmt.Errorf("line %d: %w", n, tooMany())
		}
		for _, host := range hosts {
			slots = append(slots, slices.Repeat([]string{host}, times)...)
		}
	}
	return slots, lines.Err()
}

var hostForm = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z._:%-]*[0-9A-Za-z.])?$|^::1?$`)

// nodes expands a list of hosts as Slurm writes it: names apart by commas, in which
// numbers and ranges stand in brackets. The last brackets count fastest, and a number
// is as wide as the first of its range is written.
func nodes(text string) (hosts []string, err error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("a list of %d bytes: want at most %d", len(text), maxText)
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for _, item := range splitOutside(text, '[', ']') {
		item = strings.TrimSpace(item)
		parts, err := brackets(item)
		if err != nil {
			return nil, fmt.Errorf("host %.64q: %w", item, err)
		}
		from := len(hosts)
		if hosts, err = multiply(hosts, parts); err != nil {
			return nil, fmt.Errorf("host %.64q: %w", item, err)
		}
		for _, host := range hosts[from:] {
			if len(host) > maxName || !hostForm.MatchString(host) {
				return nil, fmt.Errorf("host %.64q: want a name or an address", host)
			}
		}
		if item == "" {
			return nil, fmt.Errorf("host %q: want a name or an address", item)
		}
	}
	return hosts, nil
}

// brackets splits a name into its parts.
func brackets(item string) (parts []part, err error) {
	count := 1
	for rest := item; rest != ""; {
		before, behind, opened := strings.Cut(rest, "[")
		if strings.Contains(before, "]") {
			return nil, errors.New("a ] without its [")
		}
		if before != "" {
			parts = append(parts, part{before})
		}
		if !opened {
			break
		}
		body, behind, closed := strings.Cut(behind, "]")
		if !closed || strings.Contains(body, "[") {
			return nil, errors.New("a [ without its ]")
		}
		p, err := ranges(body)
		if err != nil {
			return nil, err
		}
		if count *= len(p); count > MaxEntries { // before there is memory for more of them
			return nil, tooMany()
		}
		parts, rest = append(parts, p), behind
	}
	return parts, nil
}

// ranges reads what stands in brackets.
func ranges(body string) (p part, err error) {
	for one := range strings.SplitSeq(body, ",") {
		low, high, ranged := strings.Cut(one, "-")
		if !ranged {
			high = low
		}
		numbers, err := countUp(low, high, len(low))
		switch {
		case err != nil:
			return nil, fmt.Errorf("[%.64s]: %w", one, err)
		case len(numbers) > 1 && numbers[0] > numbers[1] && len(numbers[0]) >= len(numbers[1]):
			return nil, fmt.Errorf("[%.64s]: it counts down", one)
		case len(p)+len(numbers) > MaxEntries:
			return nil, tooMany()
		}
		p = append(p, numbers...)
	}
	return p, nil
}

// engineHosts returns what it is that says on which hosts the engine has started
// processes, "" for nothing.
func engineHosts(w World) string {
	_, by, _ := slotsOfEngine(w)
	return by
}

// slotsOfEngine returns the hosts on which the engine has started processes, each as
// often as it has, and what says so: "" if nothing does.
func slotsOfEngine(w World) (slots []string, by string, err error) {
	// mpirun names no hosts. Where it has started all processes on this one, they find
	// each other by loopback. It may do so inside of a job of the others.
	for _, e := range []struct{ size, local string }{
		{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
		{"PMI_SIZE", "MPI_LOCALNRANKS"},
		{"WORLD_SIZE", "LOCAL_WORLD_SIZE"},
	} {
		if size, err := number(w.Getenv(e.size)); err == nil && size > 0 && size <= MaxEntries && w.Getenv(e.local) == w.Getenv(e.size) {
			return slices.Repeat([]string{"127.0.0.1"}, size), e.local, nil
		}
	}
	for _, e := range []struct{ list, places string }{
		{"SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"},
		{"SLURM_JOB_NODELIST", "SLURM_TASKS_PER_NODE"},
		{"SLURM_NODELIST", "SLURM_TASKS_PER_NODE"},
	} {
		if list := w.Getenv(e.list); list != "" {
			hosts, err := nodes(list)
			if err != nil {
				return nil, e.list, err
			}
			slots, err := perNode(hosts, w.Getenv(e.places))
			if err != nil {
				return nil, e.places, err
			}
			return slots, e.list, nil
		}
	}
	if file := w.Getenv("PBS_NODEFILE"); file != "" {
		slots, err := Hosts("@"+file, w.ReadFile)
		return slots, "PBS_NODEFILE", err
	}
	return nil, "", wrong("hosts", "", "nothing says what {hosts} stands for: neither SLURM_JOB_NODELIST nor PBS_NODEFILE is set")
}

var perNodeForm = regexp.MustCompile(`^([0-9]{1,5})(?:\(x([0-9]{1,5})\))?$`)

// perNode repeats hosts as Slurm counts their tasks: "2(x3),1" stands for 2, 2, 2, 1.
// Without it, each has one.
func perNode(hosts []string, counts string) (slots []string, err error) {
	if counts == "" {
		return hosts, nil
	}
	next := 0
	for one := range strings.SplitSeq(counts, ",") {
		m := perNodeForm.FindStringSubmatch(one)
		if m == nil {
			return nil, fmt.Errorf("%.64q: want numbers of tasks such as 2(x3),1", counts)
		}
		tasks, _ := strconv.Atoi(m[1]) // digits, few enough
		times := 1
		if m[2] != "" {
			times, _ = strconv.Atoi(m[2])
		}
		for range times {
			if next == len(hosts) {
				return nil, fmt.Errorf("%.64q: more than the %s", counts, figure.Plural(len(hosts), "host"))
			}
			if len(slots)+tasks > MaxEntries {
				return nil, tooMany()
			}
			slots = append(slots, slices.Repeat([]string{hosts[next]}, tasks)...)
			next++
		}
	}
	if next < len(hosts) {
		return nil, fmt.Errorf("%.64q: for %d of %s", counts, next, figure.Plural(len(hosts), "host"))
	}
	return slots, nil
}
