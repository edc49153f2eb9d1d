package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/rundir"
)

// tree returns what stands in the files below a directory, but for parts of a sweep. When a run was
// started is left out.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), "shard-"):
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		if e.Name() == rundir.RecordName {
			before, behind, _ := bytes.Cut(b, []byte(`"started": "`))
			_, behind, _ = bytes.Cut(behind, []byte(`"`))
			b = append(before, behind...)
		}
		files[name] = string(b)
		return err
	}))
	return files
}

// Parts that are put together are what one process leaves, to the byte.
func TestSweepInParts(t *testing.T) {
	t.Parallel()
	for _, logs := range []string{"--logs", "--logs=false"} {
		args := append(small[:len(small):len(small)], logs, "--report=false")
		whole := filepath.Join(t.TempDir(), "sweep")
		code, out, talk := inProcess(append(args, "--out", whole, "--jobs", "1")...)
		require.Zero(t, code, talk)

		dir := filepath.Join(t.TempDir(), "sweep")
		for _, part := range []string{"3/3", "1/3"} {
			code, out, talk := inProcess(append(args, "--out", dir, "--shard", part)...)
			require.Zero(t, code, talk)
			assert.Equal(t, "part "+part+": 5 runs of 5 done, 5 correct\n", strings.ReplaceAll(out, "6", "5"))
			assert.Contains(t, talk, "sweep --merge "+dir)
		}
		code, _, talk = inProcess("sweep", "--merge", dir, "--report=false")
		assert.Equal(t, 3, code)
		assert.Contains(t, talk, `5 runs of 16 are missing; "launcher sweep --out `+dir+`" does them`)
		code, _, talk = inProcess(append(args, "--out", dir, "--shard", "2/3", "--quiet")...)
		require.Zero(t, code, talk)

		// Elsewhere, then where it has begun, where what is there stays.
		elsewhere := filepath.Join(t.TempDir(), "sweep")
		for _, into := range []string{elsewhere, dir} {
			code, merged, talk := inProcess("sweep", "--merge", dir, "--out", into, "--report=false", "--quiet")
			require.Zero(t, code, talk)
			assert.Equal(t, out, merged)
			want, got := tree(t, whole), tree(t, into)
			if into == dir {
				want["results.jsonl"], got["results.jsonl"] = "", "" // those of the second merge stand last
			}
			assert.Equal(t, want, got)
		}
	}
}

// Where a part is missing for good, one process does its runs.
func TestSweepWithoutAPart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	code, _, talk := inProcess(append(small, "--report=false", "--out", dir, "--shard", "2/2")...)
	require.Zero(t, code, talk)
	code, _, _ = inProcess("sweep", "--merge", dir, "--report=false")
	require.Equal(t, 3, code)
	code, out, talk := inProcess("sweep", "--out", dir, "--report=false")
	require.Zero(t, code, talk)
	assert.Contains(t, talk, "8 of them done already")
	assert.Contains(t, out, "all 16 are correct")
}

func TestSweepPartsUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for args, want := range map[string]string{
		"--virtual --shard 1/2 --seed 1":            "launcher: --out is missing: with --shard, all parts are written below one directory\n",
		"--virtual --shard 1/2 --out " + dir + "/s": "launcher: --seed is missing: with --shard, all parts need the same one\n",
		"--shard 3/2 --seed 1 --out " + dir + "/s":  "launcher: --shard \"3/2\": the parts are 1/2 to 2/2\n",
		"--merge":                   "launcher: --merge: which parts? Name their directories, or the one that holds them\n",
		"--merge --trials 3 " + dir: "launcher: --trials with --merge: that is in the parts\n",
		"--merge " + dir:            "launcher: " + dir + " is no part of a sweep, and holds none\n",
		"--merge a b":               "launcher: --out is missing: where are the parts of 2 directories to be put together?\n",
		"--virtual --out " + dir + "/s --seed 1 " + "a/b": "launcher: unexpected argument \"a/b\": everything is said by flags; \"launcher sweep --help\" lists them\n",
	} {
		code, out, talk := inProcess(append([]string{"sweep"}, strings.Fields(args)...)...)
		assert.Equal(t, 2, code, args)
		assert.Equal(t, want, talk)
		assert.Empty(t, out)
		assert.Empty(t, names(t, dir))
	}
}
