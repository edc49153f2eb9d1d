package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Deliver delivers logs to where the logs of their run are gathered.
type Deliver struct {
	To      string        // host:port
	Logs    []string      // files, or directories of which all logs are meant
	Timeout time.Duration // for each log; 0: none
	// TLS is the certificate of a machine, or of the gatherer for the logs of all; nil: none.
	TLS *certs.Credentials
}

// Run delivers the logs, one after the other. One that cannot be delivered keeps the others
// from nothing; the error is the first of those that the next try will not mend, if there is one.
func (d Deliver) Run(ctx context.Context, env *Env) error {
	files, err := logsOf(d.Logs)
	if err != nil {
		return err
	}
	ctx, stop := exit.OnInterrupt(ctx, nil)
	defer stop()
	var conf *tls.Config
	if d.TLS != nil {
		conf = gather.ClientTLS(d.TLS)
	}
	client := gather.NewClient(d.To, conf)
	defer client.Close()
	var failed []error
	for _, file := range files {
		client.Waiting = func(err error) { env.remark("%s waits for %s: %v", file, d.To, err) }
		err := d.deliver(ctx, client, env, file)
		switch {
		case ctx.Err() != nil:
			for _, err := range failed {
				env.say("launcher: %v", err)
			}
			return exit.With(exit.Interrupted, nil)
		case err != nil && len(files) > 1:
			failed = append(failed, fmt.Errorf("%s: %w", file, err))
		case err != nil:
			failed = append(failed, err)
		default:
			env.remark("delivered    %s", file)
		}
	}
	others, last := lastSaid(failed)
	for _, err := range others {
		env.say("launcher: %v", err)
	}
	if unreached(last) {
		return exit.With(exit.Retry, last)
	}
	return last
}

// lastSaid returns the error by which a delivery of many logs ends, nil for none, and the others.
func lastSaid(failed []error) (others []error, last error) {
	if failed == nil {
		return nil, nil
	}
	at := max(0, slices.IndexFunc(failed, func(err error) bool { return !unreached(err) }))
	return slices.Delete(slices.Clone(failed), at, at+1), failed[at]
}

// unreached reports whether nobody was there to take a log.
func unreached(err error) bool {
	_, ok := errors.AsType[*gather.UnreachedError](err)
	return ok
}

func (d *Deliver) deliver(ctx context.Context, client *gather.Client, env *Env, file string) error {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	about := gather.Here(env.Version)
	if err := about.OfLog(file); err != nil {
		return err
	}
	return client.Deliver(ctx, file, about)
}

// logsOf returns the logs that paths name.
func logsOf(paths []string) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, cause(err))
		case !info.IsDir():
			files = append(files, path)
			continue
		}
		logs, err := rundir.Logs(path)
		if err != nil {
			return nil, err
		}
		for _, l := range logs {
			files = append(files, l.Path)
		}
	}
	return files, nil
}
