package certs

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tree returns the files of a directory, with what they hold.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	}))
	return files
}

func names(files map[string]string) (all []string) {
	for name := range files {
		all = append(all, name)
	}
	return all
}

func TestMake(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab", "certs")
	set, err := makeAt(dir, Plan{Run: "exam", Machines: 2, Hosts: []string{"hosta", "192.0.2.7"}}, noon)
	require.NoError(t, err)
	assert.False(t, set.Found)
	assert.Equal(t, noon.Add(AuthorityValid), set.NotAfter)
	assert.Equal(t, Made{Dir: filepath.Join(dir, "vm-1"), Name: Name{"exam", 1}, Hosts: []string{"192.0.2.7"}, NotAfter: noon.Add(DefaultValid)}, set.Machines[1])
	first := tree(t, dir)
	assert.ElementsMatch(t, []string{
		"ca.crt", "ca.key", "gather/ca.crt", "gather/tls.crt", "gather/tls.key",
		"vm-0/ca.crt", "vm-0/tls.crt", "vm-0/tls.key", "vm-1/ca.crt", "vm-1/tls.crt", "vm-1/tls.key",
	}, names(first))
	if runtime.GOOS != "windows" {
		for name := range first {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			want := fs.FileMode(0o644)
			if filepath.Ext(name) == ".key" {
				want = 0o600
			}
			assert.Equal(t, want, info.Mode(), name)
		}
	}
	for _, m := range append(set.Machines, set.Gatherer) {
		c, err := open(FilesOf(dir, m.Name.Machine), func() time.Time { return noon.Add(-Slack) })
		require.NoError(t, err, "a host whose clock is behind")
		assert.Equal(t, m.Name, c.Name())
		assert.Equal(t, m.NotAfter, c.NotAfter())
	}
	_, chain, err := readCertificates(FilesOf(dir, 0).Cert)
	require.NoError(t, err)
	assert.Equal(t, []string{"hosta"}, chain[0].DNSNames)

	// Once more, and nothing changes; with another machine, only that is new.
	again, err := makeAt(dir, Plan{}, noon)
	require.NoError(t, err)
	assert.Len(t, again.Machines, 2)
	assert.True(t, again.Found && again.Machines[0].Kept && again.Gatherer.Kept)
	assert.Equal(t, first, tree(t, dir))
	more, err := makeAt(dir, Plan{Machines: 3}, noon)
	require.NoError(t, err)
	assert.Equal(t, Name{"exam", 2}, more.Machines[2].Name)
	second := tree(t, dir)
	for name, text := range first {
		assert.Equal(t, text, second[name], name)
	}
	assert.Len(t, second, len(first)+3)

	// All anew, with the same authority, and the hosts that were in them.
	renewed, err := makeAt(dir, Plan{Renew: true}, noon.Add(AuthorityValid-time.Hour))
	require.NoError(t, err)
	assert.Len(t, renewed.Machines, 3)
	third := tree(t, dir)
	for name := range second {
		same := filepath.Base(name) == AuthorityFile || name == AuthorityKeyFile
		assert.Equal(t, same, second[name] == third[name], name)
	}
	assert.Equal(t, []string{"192.0.2.7"}, renewed.Machines[1].Hosts)
	assert.Equal(t, noon.Add(AuthorityValid), renewed.Machines[1].NotAfter, "no longer than the authority")
	_, chain, err = readCertificates(FilesOf(dir, 1).Cert)
	require.NoError(t, err)
	assert.Equal(t, renewed.Machines[1].NotAfter, chain[0].NotAfter)
	assert.Equal(t, "192.0.2.7", chain[0].IPAddresses[0].String())
}

// What cannot be made is an error that says why, and nothing is changed.
func TestMakeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(t *testing.T, dir string)
		plan Plan
		at   time.Duration
		says string
	}{
		{name: "another run", plan: Plan{Run: "exam2", Machines: 2}, says: `vm-0/tls.crt is of machine 0 of run "exam", not of machine 0 of run "exam2"`},
		{name: "no machine", plan: Plan{Machines: -1, Hosts: []string{}}, says: "0 machines: want 1 to 10000"},
		{name: "too many", plan: Plan{Machines: MaxMachines + 1}, says: "10001 machines: want 1 to 10000"},
		{name: "a long name", plan: Plan{Run: string(make([]byte, 65))}, says: "name of a run of 65 bytes: want 1 to 64"},
		{name: "hosts that are not one each", plan: Plan{Machines: 2, Hosts: []string{"a"}}, says: "1 host for 2 machines: want one each"},
		{name: "a moment", plan: Plan{Valid: time.Second}, says: "certificates for 1s: want at least a minute"},
		{name: "without the key", edit: remove("ca.key"), plan: Plan{Machines: 3}, says: "the key of the authority is not there: "},
		{name: "without the authority", edit: remove("ca.crt"), plan: Plan{Machines: 3}, says: "ca.key is there without "},
		{name: "without both", edit: func(t *testing.T, dir string) { remove("ca.crt")(t, dir); remove("ca.key")(t, dir) }, says: "vm-0/tls.crt is there without "},
		{name: "without a certificate", edit: remove("vm-1/tls.crt"), plan: Plan{Machines: 2}, says: "vm-1/tls.key is there without "},
		{name: "expired", plan: Plan{Machines: 3}, at: AuthorityValid, says: "expired at 2031-01-01 12:00:00 UTC: choose another directory"},
		{name: "a file in the way", edit: func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "vm-2"), nil, 0o600))
		}, plan: Plan{Machines: 3}, says: "vm-2"},
		{name: "another key", edit: func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, AuthorityKeyFile), authorityKey(t, authority(t)))
		}, plan: Plan{Machines: 3}, says: "private key does not match public key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := makeAt(dir, Plan{Run: "exam", Machines: 2}, noon)
			require.NoError(t, err)
			if c.edit != nil {
				c.edit(t, dir)
			}
			before := tree(t, dir)
			_, err = makeAt(dir, c.plan, noon.Add(c.at))
			require.Error(t, err)
			assert.Contains(t, filepath.ToSlash(err.Error()), c.says)
			assert.Equal(t, before, tree(t, dir))
		})
	}
}

func remove(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, name))) }
}

// Where the authority's key is not kept, what is there can be used and not added to.
func TestClosedAuthority(t *testing.T) {
	dir := t.TempDir()
	_, err := makeAt(dir, Plan{Run: "exam", Machines: 2, Closed: true}, noon)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(dir, AuthorityKeyFile))
	_, known, err := readCertificates(filepath.Join(dir, AuthorityFile))
	require.NoError(t, err)
	require.Len(t, known, 4, "the authority, two machines and the gatherer")
	for id, n := range []Name{{"exam", 0}, {"exam", 1}} {
		f := FilesOf(dir, id)
		_, alone, err := readCertificates(f.CA)
		require.NoError(t, err)
		assert.Len(t, alone, 1)
		f.CA = filepath.Join(dir, AuthorityFile)
		c, err := open(f, func() time.Time { return noon })
		require.NoError(t, err)
		assert.Equal(t, n, c.Name())
		assert.NoError(t, c.Server().VerifyConnection(stateOf(known[2-id])), "the other machine's")
	}
	_, err = makeAt(dir, Plan{Run: "exam", Machines: 2}, noon)
	require.NoError(t, err)
	_, err = makeAt(dir, Plan{Run: "exam", Machines: 3}, noon)
	require.ErrorIs(t, err, ErrClosed)
	_, err = makeAt(dir, Plan{Renew: true}, noon)
	require.ErrorIs(t, err, ErrClosed)
}

// A directory whose name is misspelled gets no new authority, which no machine would know.
func TestThereIsSomethingToRenew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cert")
	_, err := Make(dir, Plan{Renew: true})
	require.EqualError(t, err, dir+": there is no authority to renew the certificates of: name the directory that has ca.crt")
	assert.NoDirExists(t, dir)
}
