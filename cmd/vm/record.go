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
	if cfg.Resume && !isThere(log) {
		if err := notAfresh(cfg, log); err != nil {
			return err
		}
	}
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

// notAfresh returns an error where a machine that was to go on would begin anew beside its log: that has
// another name than the one that is looked for.
func notAfresh(cfg *vm.Config, log string) error {
	logs, err := rundir.Logs(cfg.LogDir)
	if err != nil {
		return nil //nolint:nilerr // mostly there are none, and making one will name the rest
	}
	for _, l := range logs {
		info, err := os.Lstat(l.Path)
		switch {
		case l.ID != cfg.ID, err != nil, info.Size() == 0: // of a machine that has not begun
		case l.Path == log+".gz":
			return command.Usage("--resume: %s is compressed: decompress it, and this machine goes on there", l.Path)
		default:
			return command.Usage("--resume: %s is this machine's log, with another --rate: give that again, or choose another --log-dir", l.Path)
		}
	}
	return nil
}

func isThere(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
