package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
)

// ErrCrash ends a machine in a replay where its record has it crash. It is to be
// started again with Config.Resume, as it was then.
var ErrCrash = errors.New("the record has the machine crash here")

// checkRecord says where a configuration is not that of its record.
func checkRecord(cfg *Config) error {
	t, s, recorded := cfg.Replay, cfg.Replay.Start(), cfg.Common
	recorded.Adopt(s)
	switch {
	case cfg.Duration != 0:
		return fmt.Errorf("duration %v: a replay is over when its record is", cfg.Duration)
	case len(cfg.Peers)+1 != s.Machines:
		return fmt.Errorf("%s is of a run of %s: want %s, not %d", t.Path(), figure.Plural(s.Machines, "machine"), figure.Plural(s.Machines-1, "peer"), len(cfg.Peers))
	case cfg.ID != t.ID() || cfg.Rate != s.Rate || cfg.Common != recorded:
		return fmt.Errorf("%s is of another machine: its id, run, rate, seed and die must be the record's", t.Path())
	}
	own := filepath.Join(cfg.LogDir, logging.FileName(cfg.ID, cfg.Rate))
	if isRecord, err := sameFile(own, t.Path()); err == nil && isRecord { // what is wrong else, opening it will say
		return fmt.Errorf("%s is the record, and the replay's log would be the same file: choose another directory for it", own)
	}
	return nil
}

func sameFile(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second), err
}
