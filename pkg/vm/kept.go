package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/transport"
)

// linksName returns the name of the file that a machine keeps beside its log.
func linksName(id int, rate clock.Rate) string {
	return strings.TrimSuffix(logging.FileName(id, rate), ".log") + ".links"
}

// linksFormat is the version of the file's form.
const linksFormat = 1

// maxLinks is the largest such file that is read, in bytes. One of 10,000 machines has
// not a tenth of it.
const maxLinks = 16 << 20

// keptLinks is what a machine has to know of itself in its next life that no log
// should say: which life that is, and what its peers and it know each other by. It is
// the file's JSON, which docs/log-format.md describes.
type keptLinks struct {
	Format   int        `json:"format"`
	Run      string     `json:"run"`
	ID       int        `json:"id"`
	Machines int        `json:"machines"`
	Life     uint64     `json:"life"` // of the process that wrote it: 1, 2, 3, …
	Links    []keptLink `json:"links"`
	// Seed is the one that machine 0 has drawn for a run that it has not ended: as it may have
	// begun for its peers, it comes back with that.
	Seed *uint64 `json:"seed,omitempty"`
}

type keptLink struct {
	Peer int              `json:"peer"`
	Addr string           `json:"addr"` // as this machine knew it
	To   transport.Secret `json:"to"`
	From transport.Secret `json:"from"`
}

// kept is the file, and what this process knows of it. Life and secrets are counted and
// drawn, and never taken from a clock, which may be set back.
type kept struct {
	path string
	keptLinks
}

// openKept reads what an earlier process has kept, or begins anew where nothing was.
// The log of the machine has to be locked. Where that has begun, begun says, the file
// has to be there.
func openKept(cfg *Config, begun bool) (*kept, error) {
	k := &kept{
		path:      filepath.Join(cfg.LogDir, linksName(cfg.ID, cfg.Rate)),
		keptLinks: keptLinks{Format: linksFormat, Run: cfg.Run, ID: cfg.ID, Machines: len(cfg.Peers) + 1, Life: 1},
	}
	if k.Machines == 1 {
		return k, nil // nobody to be known by
	}
	b, err := guarded.ReadFile(k.path, maxLinks)
	switch {
	case errors.Is(err, fs.ErrNotExist) && begun:
		return nil, fmt.Errorf("%s is missing: it belongs beside the log, and the peers know this machine by it: put it back, or begin a new run", k.path)
	case errors.Is(err, fs.ErrNotExist):
		return k, nil
	case err != nil:
		return nil, err
	}
	found, err := parseLinks(b, begun)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is damaged, and nothing is guessed: put the right one back, or move it away with its log and begin a new run", k.path, err)
	}
	if found.Run != k.Run || found.ID != k.ID || found.Machines != k.Machines {
		if begun {
			return nil, fmt.Errorf("%s is of machine %d in run %q of %s, but its log of machine %d in run %q of %d: put the right one back, or begin a new run",
				k.path, found.ID, found.Run, figure.Plural(found.Machines, "machine"), k.ID, k.Run, k.Machines)
		}
		return k, nil // left behind by a run that this one has nothing to do with
	}
	k.keptLinks = *found
	k.Life++
	return k, nil
}

// claim notes that this life has begun, before anybody hears of it. The first one does
// not have to be noted: who starts afresh has other secrets.
func (k *kept) claim() error {
	if k.Life == 1 {
		return nil
	}
	return k.write()
}

// parseLinks reads a file. Of a machine that has begun its run it has to have all links
// in both directions.
func parseLinks(b []byte, begun bool) (*keptLinks, error) {
	var k keptLinks
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, err
	}
	switch {
	case k.Format != linksFormat:
		return nil, fmt.Errorf("format %d, want %d", k.Format, linksFormat)
	case k.Life == 0 || k.Life == math.MaxUint64:
		return nil, fmt.Errorf("life %d", k.Life)
	case len(k.Links) != k.Machines-1:
		return nil, fmt.Errorf("links with %s in a run of %s", figure.Plural(len(k.Links), "peer"), figure.Plural(k.Machines, "machine"))
	}
	seen := make(map[int]bool)
	for _, l := range k.Links {
		switch {
		case l.Peer < 0 || l.Peer >= k.Machines || l.Peer == k.ID || seen[l.Peer]:
			return nil, fmt.Errorf("links with machine %d", l.Peer)
		case l.To == transport.Secret{}, begun && l.From == transport.Secret{}:
			return nil, fmt.Errorf("a link with machine %d without a secret", l.Peer)
		}
		seen[l.Peer] = true
	}
	return &k, nil
}

// identified returns the peers with the ids that they had, as a peer of which only the address is
// known stays who it was. One that has ended meanwhile cannot say it.
func (k *kept) identified(peers []transport.Peer) []transport.Peer {
	known := slices.Clone(peers)
	for i, p := range known {
		at := slices.IndexFunc(k.Links, func(l keptLink) bool { return l.Addr == p.Addr })
		if p.ID == transport.AnyID && at >= 0 {
			known[i].ID = k.Links[at].Peer
		}
	}
	return known
}

// to returns the secrets of the links to the peers, in their order. A peer of which only
// the address is known has to have the one that it had.
func (k *kept) to(peers []transport.Peer, begun bool) ([]transport.Secret, error) {
	secrets := make([]transport.Secret, len(peers))
	for i, p := range peers {
		at := slices.IndexFunc(k.Links, func(l keptLink) bool {
			return l.Peer == p.ID || p.ID == transport.AnyID && l.Addr == p.Addr
		})
		if at < 0 && begun {
			return nil, fmt.Errorf("%s knows no peer %s: give it the address that it had, or say which machine it is, as in %d=%s", k.path, p.Addr, k.Links[min(i, len(k.Links)-1)].Peer, p.Addr)
		}
		if at >= 0 {
			secrets[i] = k.Links[at].To
		}
	}
	return secrets, nil
}

// from returns the secret of the link from a peer.
func (k *kept) from(peer int) transport.Secret {
	for _, l := range k.Links {
		if l.Peer == peer {
			return l.From
		}
	}
	return transport.Secret{}
}

// over forgets the seed: the next run is another.
func (k *kept) over() error {
	if k.Seed == nil || len(k.Links) == 0 {
		return nil
	}
	k.Seed = nil
	return k.write()
}

// keep writes the secrets down for good, if they are not there yet.
func (k *kept) keep(secrets []transport.LinkSecrets) error {
	fresh := make([]keptLink, len(secrets))
	for i, s := range secrets {
		fresh[i] = keptLink{s.Peer, s.Addr, s.To, s.From}
	}
	if slices.Equal(fresh, k.Links) {
		return nil
	}
	k.Links = fresh
	return k.write()
}

// write replaces the file: whoever reads it finds the old one or the new one, and after
// a loss of power, too.
func (k *kept) write() error {
	b, err := json.MarshalIndent(k.keptLinks, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(k.path, append(b, '\n')); err != nil {
		return fmt.Errorf("what the peers know this machine by cannot be kept: %w", err)
	}
	return nil
}

// barrier is [transport.Node.Barrier], with what has to be kept before and after it.
func (r *runner) barrier(ctx context.Context) (time.Time, error) {
	if err := r.kept.keep(r.node.Secrets()); err != nil {
		return time.Time{}, err
	}
	start, err := r.node.Barrier(ctx)
	if err != nil {
		return start, err
	}
	return start, r.kept.keep(r.node.Secrets())
}

// replaceFile puts a file in the place of another, readable by its owner only, so that it
// is there for good.
func replaceFile(path string, content []byte) (err error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a process that was killed
		return err
	}
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(fresh)
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // which syncs no directory
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
