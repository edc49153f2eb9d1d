package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/vm"
)

// keepAgreement has what the machines agree upon written beside the log, so that the run can
// be done again. A launcher has done that already, and a replay is in its records.
func (o *options) keepAgreement(cfg *vm.Config) error {
	if o.control.Supervised || cfg.Replay != nil {
		return nil
	}
	log := filepath.Join(cfg.LogDir, logging.FileName(cfg.ID, cfg.Rate))
	_, err := os.Lstat(log)
	shared, err := rundir.Share(cfg.LogDir, cfg.Resume || err == nil) // a log in the way is found later, and says more
	if err != nil {
		return command.Usage("%w: choose another --log-dir, or move it away with its logs", err)
	}
	cfg.Agreed = func(spec experiment.Spec) error {
		err := shared.Write(&rundir.Record{Version: command.Version(), Spec: spec, Ports: make([]int, len(spec.Rates)), Sync: cfg.Sync})
		if _, bad := errors.AsType[*experiment.Error](err); bad || errors.Is(err, rundir.ErrOther) {
			cfg.Logger.Warn("what all machines have agreed upon is not written down", "reason", err)
			return nil
		}
		return err
	}
	return nil
}
