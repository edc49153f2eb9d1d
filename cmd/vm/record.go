package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

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
	// A log in the way is found later, and says more. A machine whose links were kept may have
	// been ready, so that the others have begun.
	log := filepath.Join(cfg.LogDir, logging.FileName(cfg.ID, cfg.Rate))
	back := cfg.Resume || isThere(log) || isThere(strings.TrimSuffix(log, ".log")+".links")
	shared, err := rundir.Share(cfg.LogDir, back)
	if err != nil {
		return command.Usage("%w: choose another --log-dir, or move it away with its logs", err)
	}
	cfg.Agreed = func(spec experiment.Spec) error {
		err := shared.Write(&rundir.Record{Version: command.Version(), Spec: spec, Ports: make([]int, len(spec.Rates)), TLS: cfg.TLS != nil, Sync: cfg.Sync})
		if _, bad := errors.AsType[*experiment.Error](err); bad || errors.Is(err, rundir.ErrOther) {
			cfg.Logger.Warn("what all machines have agreed upon is not written down", "reason", err)
			return nil
		}
		return err
	}
	return nil
}

func isThere(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
