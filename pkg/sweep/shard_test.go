package sweep

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseShard(t *testing.T) {
	array := map[string]string{"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"}
	indexed := map[string]string{"JOB_COMPLETION_INDEX": "0"}
	for _, c := range []struct {
		text string
		env  map[string]string
		want string
		err  string
	}{
		{"3/16", nil, "3/16", ""},
		{"1/1", nil, "1/1", ""},
		{"3/16", array, "3/16", ""},
		{"auto", array, "3/4", ""},
		{"auto/4", array, "3/4", ""},
		{"auto/16", indexed, "1/16", ""},
		{"auto/9", map[string]string{"SLURM_ARRAY_TASK_ID": "9"}, "9/9", ""},
		{"auto/5", array, "", `shard "auto/5": the job array has 4 tasks`},
		{"auto", indexed, "", `shard "auto": nothing says of how many; want auto/16 for one of 16`},
		{"auto", nil, "", `shard "auto": this is no task of a Slurm job array (SLURM_ARRAY_TASK_ID), nor of an Indexed Job (JOB_COMPLETION_INDEX)`},
		{"auto/8", map[string]string{"JOB_COMPLETION_INDEX": "x"}, "", `shard "auto/8": JOB_COMPLETION_INDEX is "x", and no number`},
		{"auto/8", map[string]string{"JOB_COMPLETION_INDEX": "8"}, "", `shard "auto/8": the parts are 1/8 to 8/8`},
		{"auto", map[string]string{"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_STEP": "2"}, "", `shard "auto": SLURM_ARRAY_TASK_ID is 4: it is none of 1, 3, …`},
		{"0/16", nil, "", `shard "0/16": the parts are 1/16 to 16/16`},
		{"17/16", nil, "", `shard "17/16": the parts are 1/16 to 16/16`},
		{"1/0", nil, "", `shard "1/0": want 1 to 100000 parts`},
		{"3", nil, "", `shard "3": want the number of the part and how many there are, such as 3/16`},
		{"", nil, "", `shard "": want the number of the part and how many there are, such as 3/16`},
		{"-1/3", nil, "", `shard "-1/3": want the number of the part and how many there are, such as 3/16`},
	} {
		s, err := ParseShard(c.text, func(name string) string { return c.env[name] })
		if c.err != "" {
			assert.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err, c.text)
		assert.Equal(t, c.want, s.String())
	}
	var s Shard
	assert.Error(t, s.UnmarshalText([]byte("auto")), "what is written down is a number")
}

// Each run is in exactly one part, whose sizes differ by one at most; more trials move none.
func TestPartsAreTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.IntRange(1, 40).Draw(t, "of")
		g := grid()
		runs, err := g.Extended(rapid.IntRange(1, 30).Draw(t, "trials")).Runs()
		require.NoError(t, err)
		seen := make(map[string]int)
		for k := 1; k <= of; k++ {
			g.Shard = Shard{k, of}
			own := g.Own(runs)
			assert.InDelta(t, float64(len(runs))/float64(of), len(own), 1)
			for i := range own {
				seen[own[i].Name]++
			}
			fewer := g.Own(runs[:len(runs)/2])
			assert.ElementsMatch(t, fewer, own[:len(fewer)])
		}
		assert.Len(t, seen, len(runs))
		for name, times := range seen {
			assert.Equal(t, 1, times, name)
		}
	})
}

// begun makes the directory of a part, with results of as many runs as asked for.
func begun(t *testing.T, all string, shard Shard, done int, change func(*Grid)) string {
	t.Helper()
	g := grid()
	g.Shard = shard
	if change != nil {
		change(g)
	}
	path := ShardDir(all, shard)
	d, err := Open(path, g)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	runs, err := g.Runs()
	require.NoError(t, err)
	for _, run := range g.Own(runs)[:done] {
		require.NoError(t, d.Prepare(&run))
		require.NoError(t, d.Save(simulate(t, d.RunDir(&run), &run)))
	}
	return path
}

func TestFindParts(t *testing.T) {
	all := t.TempDir()
	one := begun(t, all, Shard{1, 3}, 0, nil)
	begun(t, all, Shard{3, 3}, 0, nil)
	p, err := FindParts(all)
	require.NoError(t, err)
	here, of := p.Count()
	assert.Equal(t, []int{2, 3}, []int{here, of})
	assert.Equal(t, grid(), p.Grid)

	other := t.TempDir()
	two := begun(t, other, Shard{2, 3}, 0, func(g *Grid) { g.Seed, g.Seeds = 8, Seeds(8, 2) })
	more := begun(t, other, Shard{3, 3}, 0, func(g *Grid) { *g = *g.Extended(3) })
	of4 := begun(t, other, Shard{2, 4}, 0, nil)
	whole := begun(t, filepath.Join(other, "whole"), Shard{}, 0, nil)
	empty := t.TempDir()
	for want, dirs := range map[string][]string{
		one + " and " + two + " are not parts of one sweep (other seed)":                            {one, two},
		one + " and " + more + " are not parts of one sweep (other trials)":                         {one, more},
		one + " is part 1/3, and " + of4 + " part 2/4: a sweep is divided in one way":               {one, of4},
		one + " and " + one + " are both part 1/3":                                                  {all, one},
		empty + " is no part of a sweep, and holds none":                                            {empty},
		whole + " is no part of a sweep, and holds none":                                            {whole},
		filepath.Join(empty, "gone") + ": no such file or directory":                                {filepath.Join(empty, "gone")},
		filepath.Join(empty, "x", "shard-1-of-2") + ": it was not begun: no such file or directory": {filepath.Join(empty, "x")},
	} {
		if filepath.Base(dirs[0]) == "x" {
			require.NoError(t, os.MkdirAll(filepath.Join(dirs[0], "shard-1-of-2"), 0o777))
		}
		_, err := FindParts(dirs...)
		assert.EqualError(t, err, want)
	}
}

// A part that came by mail may hold links to what is not its own.
func TestMergeFollowsNoLink(t *testing.T) {
	all := t.TempDir()
	path := begun(t, all, Shard{1, 12}, 1, nil)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(path, RunsName, "p0001-t0001", "notes")))
	p, err := FindParts(all)
	require.NoError(t, err)
	d, err := Open(all, p.Grid)
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	assert.ErrorContains(t, p.MergeInto(d), "p0001-t0001 of "+path+": ")
	assert.NoFileExists(t, filepath.Join(all, RunsName, "p0001-t0001", "notes"))
}
