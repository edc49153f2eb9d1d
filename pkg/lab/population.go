package lab

import (
	"errors"
	"io/fs"

	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// withoutLogs prints the figures of a run that has none, from its summary. Where there is
// none either, the error is that there are no logs.
func (s *Stats) withoutLogs(env *Env, dir string, noLogs error) error {
	p, err := rundir.ReadPopulation(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return noLogs
	}
	if err != nil {
		return err
	}
	out := env.text()
	if s.Format == "json" {
		out = env.json()
	}
	return report.Population(out, dir, p, s.Format, env.screen())
}
