package certs

import (
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// The names of files, as Kubernetes has them in a secret for TLS.
const (
	CertFile         = "tls.crt"
	KeyFile          = "tls.key"
	AuthorityFile    = "ca.crt"
	AuthorityKeyFile = "ca.key" // which no machine needs
)

// DefaultRun is the name of a run that nobody has named.
const DefaultRun = "by-hand"

// Plan is which certificates there are to be.
type Plan struct {
	Run      string        // "": that of the certificates that are there, else DefaultRun
	Machines int           // 0: as many as are there, else DefaultMachines
	Hosts    []string      // of the machines, in their order, as a name or an address: see [Authority.Issue]. nil: not said
	Valid    time.Duration // DefaultValid if 0
	// Renew makes new certificates in the place of those that are there already. The
	// authority stays.
	Renew bool
	// Closed keeps no key of the authority, so that nobody can make another certificate
	// of the run later. Then those that there are stand behind that of the authority in its
	// file: whoever has that file need not verify the authority's signature of each
	// peer. Not where there are so many that the file would be too large.
	Closed bool
}

// MaxMachines is of how many machines a directory may have the certificates.
const MaxMachines = 10_000

// DefaultMachines is how many machines a run has, where nobody says it.
const DefaultMachines = 3

// Made is what has become of one certificate.
type Made struct {
	Dir      string
	Name     Name
	Kept     bool     // it was there, and is as it was
	Hosts    []string // in it, as [Authority.Issue] has them
	NotAfter time.Time
}

// Set is all certificates of a run, in one directory.
type Set struct {
	Dir       string
	Found     bool      // the authority was there already
	NotAfter  time.Time // of the authority
	Closed    bool
	Machines  []Made // by id
	Gatherer  Made
	authority *Authority
	issued    []byte // all that were made, in PEM
}

// FilesOf returns the files of a machine, or of NoMachine, in a directory that [Make] has
// filled.
func FilesOf(dir string, machine int) Files {
	d := filepath.Join(dir, directory(Name{Machine: machine}))
	return Files{Cert: filepath.Join(d, CertFile), Key: filepath.Join(d, KeyFile), CA: filepath.Join(d, AuthorityFile)}
}

// directory returns how the directory of a certificate's files is called.
func directory(n Name) string {
	if n.Machine == NoMachine {
		return gatherPart
	}
	return "vm-" + strconv.Itoa(n.Machine)
}

// ErrClosed says that the authority in a directory cannot sign, as its key is not there.
var ErrClosed = errors.New("the key of the authority is not there")

// Make fills a directory, which is made if it is not there, with an authority and the
// certificates of the machines of a run and of its gatherer: ca.crt, ca.key, and for each
// of them a directory, vm-0, vm-1, … and gather, with tls.crt, tls.key and ca.crt. Only
// their owner may read the keys.
//
// An authority that is there is used, and a certificate that is there stays, but for
// [Plan.Renew]: so more machines can be added to a run. A certificate that is there and
// is not what the plan says is an error, before anything is written.
func Make(dir string, p Plan) (*Set, error) { return makeAt(dir, p, time.Now()) }

func makeAt(dir string, p Plan, now time.Time) (*Set, error) {
	p.complete(dir)
	if err := p.check(); err != nil {
		return nil, err
	}
	s := &Set{Dir: dir, Closed: p.Closed}
	if err := s.findAuthority(); err != nil {
		return nil, err
	}
	if p.Renew && !s.Found {
		return nil, fmt.Errorf("%s: there is no authority to renew the certificates of: name the directory that has %s", dir, AuthorityFile)
	}
	if err := s.survey(p); err != nil {
		return nil, err
	}
	if err := s.haveAuthority(p, now); err != nil {
		return nil, err
	}
	for id := range s.Machines {
		if p.Hosts != nil && !s.Machines[id].Kept {
			s.Machines[id].Hosts = p.Hosts[id : id+1]
		}
		if err := s.issue(&s.Machines[id], p, now); err != nil {
			return nil, err
		}
	}
	if err := s.issue(&s.Gatherer, p, now); err != nil || !p.Closed {
		return s, err
	}
	return s, s.introduce()
}

// complete puts what is there, and the defaults, in the place of what is not said.
func (p *Plan) complete(dir string) {
	if p.Valid == 0 {
		p.Valid = DefaultValid
	}
	run, machines := there(dir)
	if p.Run == "" {
		p.Run = run
	}
	switch {
	case p.Machines > 0:
	case p.Hosts != nil:
		p.Machines = len(p.Hosts)
	default:
		p.Machines = machines
	}
}

// there returns the name of the run whose certificates are in a directory, and how many
// machines it has; else the defaults.
func there(dir string) (run string, machines int) {
	for {
		_, chain, err := readCertificates(FilesOf(dir, machines).Cert)
		if err != nil {
			break
		}
		name, err := nameOf(chain[0])
		if err != nil {
			break
		}
		run = name.Run
		machines++
	}
	if machines == 0 {
		return DefaultRun, DefaultMachines
	}
	return run, machines
}

func (p *Plan) check() error {
	switch {
	case p.Machines < 1 || p.Machines > MaxMachines:
		return fmt.Errorf("%d machines: want 1 to %d", p.Machines, MaxMachines)
	case p.Valid < time.Minute:
		return fmt.Errorf("certificates for %v: want at least a minute", p.Valid)
	case p.Hosts != nil && len(p.Hosts) != p.Machines:
		return fmt.Errorf("%s for %s: want one each", figure.Plural(len(p.Hosts), "host"), figure.Plural(p.Machines, "machine"))
	}
	return Name{p.Run, p.Machines - 1}.Check()
}

// findAuthority reads the authority of the directory, if there is one.
func (s *Set) findAuthority() error {
	certFile, keyFile := filepath.Join(s.Dir, AuthorityFile), filepath.Join(s.Dir, AuthorityKeyFile)
	text, found, err := readCertificates(certFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(keyFile); err == nil {
			return fmt.Errorf("%s is there without %s: put that back, or choose another directory", keyFile, certFile)
		}
		return nil
	case err != nil:
		return err
	}
	s.Found, s.NotAfter = true, found[0].NotAfter
	key, err := guarded.ReadFile(keyFile, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it can only be asked for what is there
	}
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(text, key)
	if err != nil {
		return fmt.Errorf("%s with %s: %w", certFile, keyFile, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !found[0].IsCA {
		return fmt.Errorf("%s: not the certificate of an authority", certFile)
	}
	s.authority = &Authority{found[0], signer}
	return nil
}

// survey looks at what is there.
func (s *Set) survey(p Plan) error {
	for id := range p.Machines {
		s.Machines = append(s.Machines, Made{Name: Name{p.Run, id}})
	}
	s.Gatherer = Made{Name: Name{p.Run, NoMachine}}
	for id := range p.Machines {
		if err := s.find(&s.Machines[id], p); err != nil {
			return err
		}
	}
	return s.find(&s.Gatherer, p)
}

// find looks for one certificate.
func (s *Set) find(m *Made, p Plan) error {
	m.Dir = filepath.Join(s.Dir, directory(m.Name))
	name := filepath.Join(m.Dir, CertFile)
	_, chain, err := readCertificates(name)
	if errors.Is(err, fs.ErrNotExist) {
		for _, rest := range []string{KeyFile, AuthorityFile} {
			if _, err := os.Stat(filepath.Join(m.Dir, rest)); err == nil && !p.Renew {
				return fmt.Errorf("%s is there without %s: put that back, or move it away", filepath.Join(m.Dir, rest), name)
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	is, err := nameOf(chain[0])
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case is != m.Name:
		return &OtherError{File: name, Is: is, Wanted: m.Name}
	case !s.Found:
		return fmt.Errorf("%s is there without %s: put that back, or choose another directory", name, filepath.Join(s.Dir, AuthorityFile))
	}
	m.Kept, m.NotAfter, m.Hosts = !p.Renew, chain[0].NotAfter, slices.Clone(chain[0].DNSNames)
	for _, ip := range chain[0].IPAddresses {
		m.Hosts = append(m.Hosts, ip.String())
	}
	return nil
}

// OtherError says that a certificate is there that is somebody else's.
type OtherError struct {
	File       string
	Is, Wanted Name
}

func (e *OtherError) Error() string {
	return fmt.Sprintf("%s is of %v, not of %v", e.File, e.Is, e.Wanted)
}

// haveAuthority makes the authority if there is none, and if there is anything to sign.
func (s *Set) haveAuthority(p Plan, now time.Time) (err error) {
	all := append([]Made{s.Gatherer}, s.Machines...)
	lacks := false
	for _, m := range all {
		lacks = lacks || !m.Kept
	}
	switch {
	case !lacks:
		return nil
	case s.authority != nil && now.Add(time.Minute).After(s.NotAfter):
		return faulty(ErrExpired, "the authority in %s expired at %s: choose another directory, where there will be a new one", s.Dir, instant(s.NotAfter))
	case s.authority != nil:
		return nil
	case s.Found:
		return fmt.Errorf("%w: %s", ErrClosed, filepath.Join(s.Dir, AuthorityKeyFile))
	}
	if s.authority, err = NewAuthority(now, max(AuthorityValid, p.Valid)); err != nil {
		return err
	}
	s.NotAfter = s.authority.NotAfter()
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	if !p.Closed {
		key, err := keyPEM(s.authority.key)
		if err != nil {
			return err
		}
		if err := put(filepath.Join(s.Dir, AuthorityKeyFile), key, 0o600); err != nil {
			return err
		}
	}
	return put(filepath.Join(s.Dir, AuthorityFile), s.authority.Cert(), 0o644)
}

// introduce puts all certificates that were made behind that of the authority.
func (s *Set) introduce() error {
	if len(s.issued) == 0 {
		return nil
	}
	all := append(s.authority.Cert(), s.issued...)
	if len(all) > maxFile {
		return nil
	}
	return put(filepath.Join(s.Dir, AuthorityFile), all, 0o644)
}

// issue makes one certificate, unless it is to stay.
func (s *Set) issue(m *Made, p Plan, now time.Time) error {
	if m.Kept {
		return nil
	}
	cert, key, err := s.authority.Issue(m.Name, m.Hosts, now, p.Valid)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return err
	}
	// The certificate comes last: whoever reads it meanwhile finds that the two do not
	// belong together, and reads again when that has changed.
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{{AuthorityFile, s.authority.Cert(), 0o644}, {KeyFile, key, 0o600}, {CertFile, cert, 0o644}} {
		if err := put(filepath.Join(m.Dir, f.name), f.text, f.mode); err != nil {
			return err
		}
	}
	s.issued = append(s.issued, cert...)
	m.NotAfter = now.Add(p.Valid)
	if m.NotAfter.After(s.NotAfter) {
		m.NotAfter = s.NotAfter
	}
	return nil
}

// put writes a file whole or not at all. A key is never in a file that others may read.
func put(name string, text []byte, mode os.FileMode) error {
	return guarded.Replace(name, func(f *os.File) error {
		if err := f.Chmod(mode); err != nil {
			return err
		}
		_, err := f.Write(text)
		return err
	})
}
