package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/vm"
)

// Who begins a run refuses the record of an earlier one that has logs; unless it may be one that
// comes back, while the others have begun.
func TestRecordInTheWay(t *testing.T) {
	spec := experiment.Spec{Common: experiment.Common{Run: "by-hand", Die: 10, Seed: 7}, Rates: []clock.Rate{clock.Hertz, clock.Hertz}}
	for _, tt := range []struct {
		name    string
		edit    func(*options, *vm.Config)
		file    string // that is there, too
		refused bool
		asked   bool
	}{
		{name: "a machine that begins", refused: true},
		{name: "one that was told to go on", edit: func(_ *options, cfg *vm.Config) { cfg.Resume = true }, asked: true},
		{name: "one that was ready", file: "vm_0_1.links", asked: true},
		{name: "one whose log is in the way", file: "vm_0_1.log", asked: true},
		{name: "one of a launcher", edit: func(o *options, _ *vm.Config) { o.control = control.Options{Supervised: true} }},
		{name: "a replay", edit: func(_ *options, cfg *vm.Config) { cfg.Replay = new(replay.Track) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := rundir.Share(dir, false)
			require.NoError(t, err)
			require.NoError(t, first.Write(&rundir.Record{Version: "test", Spec: spec, Ports: []int{0, 0}}))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_1_1.log"), []byte("begun\n"), 0o600))
			if tt.file != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, tt.file), nil, 0o600))
			}
			var o options
			cfg := vm.Config{ID: 0, Rate: clock.Hertz, LogDir: dir, Logger: hclog.NewNullLogger()}
			if tt.edit != nil {
				tt.edit(&o, &cfg)
			}
			err = o.keepAgreement(&cfg)
			if tt.refused {
				assert.EqualError(t, err, filepath.Join(dir, "run.json")+" is of an earlier run, which is not overwritten: choose another --log-dir, or move it away with its logs")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.asked, cfg.Agreed != nil)
			if tt.asked {
				assert.NoError(t, cfg.Agreed(spec), "the same run")
				other := spec
				other.Seed = 8
				assert.NoError(t, cfg.Agreed(other), "another: that is said, and keeps nobody from his run")
				r, err := rundir.ReadRecord(dir)
				require.NoError(t, err)
				assert.EqualValues(t, 7, r.Seed)
			}
		})
	}
}

// What was said wrongly is said before what an earlier run has left in the way.
func TestAWrongCertificateBeforeARecordInTheWay(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.json"), []byte("{}"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_1_1.log"), []byte("begun\n"), 0o600))
	env := ofMachine(t, 0)
	vm := startVM(t, env, "--id", "0", "--port", freePorts(t, 1)[0], "--run", "another", "--log-dir", dir)
	assert.Equal(t, exit.Misused, vm.wait(t))
	assert.Contains(t, vm.errors.String(), `vm: the certificate is that of machine 0 of run "by-hand", and this is machine 0 of run "another"`)
	vm = startVM(t, env, "--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", dir)
	assert.Equal(t, exit.Misused, vm.wait(t))
	assert.Contains(t, vm.errors.String(), "run.json is of an earlier run, which is not overwritten: choose another --log-dir, or move it away with its logs")
}

// A machine that is to go on, and is told another rate than before, would look for another log and
// begin anew beside its own.
func TestResumedUnderAnotherName(t *testing.T) {
	dir := t.TempDir()
	begin := func(rate string) (code int, talk string) {
		code, _, talk = execute(t.Context(), "--id", "0", "--port", freePorts(t, 1)[0], "--rate", rate, "--duration", "20ms", "--resume", "--log-dir", dir)
		return code, talk
	}
	log := filepath.Join(dir, "vm_0_100.log")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_0_7.log"), nil, 0o600)) // it never began
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_1_5.log"), []byte("of another machine"), 0o600))
	code, talk := begin("100")
	require.Equal(t, exit.OK, code, talk)
	code, talk = begin("50")
	assert.Equal(t, exit.Misused, code)
	assert.Equal(t, "vm: --resume: "+log+" is this machine's log, with another --rate: give that again, or choose another --log-dir\n", talk)
	require.NoError(t, os.Rename(log, log+".gz"))
	code, talk = begin("100")
	assert.Equal(t, exit.Misused, code)
	assert.Equal(t, "vm: --resume: "+log+".gz is compressed: decompress it, and this machine goes on there\n", talk)
}
