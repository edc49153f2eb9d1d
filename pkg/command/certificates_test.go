package command_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
)

// Of three files, the flag of the one that does not do is named, and the mend where it is known.
func TestWrongCertificate(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		_, err := certs.Make(d, certs.Plan{Run: "exam", Machines: 1})
		require.NoError(t, err)
	}
	at := func(dir, name string) string { return filepath.Join(dir, "vm-0", name) }
	good := certs.Files{Cert: at(dir, certs.CertFile), Key: at(dir, certs.KeyFile), CA: at(dir, certs.AuthorityFile)}
	nowhere := filepath.Join(dir, "nowhere")
	for _, c := range []struct {
		name  string
		files certs.Files
		want  string
	}{
		{"no certificate", certs.Files{Cert: nowhere, Key: good.Key, CA: good.CA}, "--tls-cert: stat " + nowhere + ": no such file or directory"},
		{"no key", certs.Files{Cert: good.Cert, Key: nowhere, CA: good.CA}, "--tls-key: stat " + nowhere + ": no such file or directory"},
		{"no authority", certs.Files{Cert: good.Cert, Key: good.Key, CA: nowhere}, "--tls-ca: stat " + nowhere + ": no such file or directory"},
		{"another's key", certs.Files{Cert: good.Cert, Key: at(other, certs.KeyFile), CA: good.CA},
			"--tls-key: " + good.Cert + " with " + at(other, certs.KeyFile) + ": tls: private key does not match public key"},
		{"no authority's", certs.Files{Cert: good.Cert, Key: good.Key, CA: good.Cert},
			"--tls-ca: " + good.Cert + ": a certificate (CN=vm-0,O=exam) is not that of an authority"},
		{"another authority", certs.Files{Cert: good.Cert, Key: good.Key, CA: at(other, certs.AuthorityFile)},
			"--tls-cert: " + good.Cert + ": a certificate (CN=vm-0,O=exam) is signed by none of the run's authorities, which are in " + at(other, certs.AuthorityFile) +
				": all machines of a run need certificates of one authority, and that as --tls-ca"},
	} {
		_, err := certs.Open(c.files)
		require.Error(t, err, c.name)
		err = command.WrongCertificate(err)
		assert.EqualError(t, err, c.want, c.name)
		assert.Equal(t, exit.Misused, exit.Code(err), c.name)
	}
}
