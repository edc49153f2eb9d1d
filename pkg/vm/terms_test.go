package vm

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/transport"
)

func TestTermsOfAMachine(t *testing.T) {
	common := experiment.Common{Die: 6, Seed: 7, Duration: time.Minute}
	plan, err := fault.Parse("at 1s partition 0 | 1 for 1s", 2)
	require.NoError(t, err)
	faulty := common
	faulty.Faults = plan
	back := map[string]*comeback{
		"paused":                        {at: 19204512 * time.Microsecond, paused: true},
		"crashed before its first tick": {},
	}
	for _, tt := range []struct {
		name  string
		cfg   Config
		begun bool
		want  string
	}{
		{"given a seed", Config{Common: common}, false, "die=10 duration=1m0s seed=7"},
		{"machine 0 with a seed of its own", Config{Common: common, SeedDrawn: true}, false, "die=10 duration=1m0s seed=drawn draw=7"},
		{"with a seed of its own", Config{ID: 1, Common: common, SeedDrawn: true}, false, "die=10 duration=1m0s seed=drawn"},
		{"machine 0 back in its run", Config{Common: common}, true, "die=10 duration=1m0s draw=7"},
		{"back in its run", Config{ID: 1, Common: common}, true, "die=10 duration=1m0s"},
		{"with a rate", Config{ID: 1, Common: common, Rate: clock.Hertz / 2}, false, "die=10 duration=1m0s seed=7 rate=0.5"},
		{"as fast as it can", Config{ID: 1, Common: common, Rate: clock.Unpaced}, false, "die=10 duration=1m0s seed=7 rate=max"},
		{"with faults", Config{ID: 1, Common: faulty}, false, "die=10 duration=1m0s seed=7 faults=" + faultsMark(plan)},
		{"until it is stopped", Config{ID: 1, SeedDrawn: true}, false, "die=10 duration=0s seed=drawn"},
		{"paused", Config{ID: 1, Common: common}, true, "die=10 duration=1m0s at=19.204512s paused"},
		{"crashed before its first tick", Config{ID: 1, Common: common}, true, "die=10 duration=1m0s at=0s"},
		{"in a replay", Config{Replay: new(replay.Track)}, false, "die=10 duration=0s replay"},
	} {
		said := newTerms(&tt.cfg, 10, 7, tt.begun)
		said.back = back[tt.name]
		assert.Equal(t, tt.want, string(said.encode()), tt.name)
		heard, err := parseTerms(said.encode())
		require.NoError(t, err, tt.name)
		assert.Equal(t, said, heard, tt.name)
	}
	for _, longest := range []terms{
		{seed: "18446744073709551615"}, {seed: seedDrawn, draws: true, draw: math.MaxUint64},
		{draws: true, draw: math.MaxUint64, back: &comeback{math.MaxInt64, true}}, {replay: true, back: &comeback{math.MaxInt64, true}},
	} {
		longest.die, longest.timed, longest.duration = math.MaxInt, true, experiment.MaxDuration-1
		longest.rate, longest.faults = clock.MaxRate-1, "01234567"
		said := longest.encode()
		assert.LessOrEqual(t, len(said), transport.MaxTerms, "%s", said)
		heard, err := parseTerms(said)
		require.NoError(t, err)
		assert.Equal(t, longest.draw, heard.draw)
		assert.Equal(t, longest.back == nil, heard.back == nil)
	}
}

func TestTermsRefuses(t *testing.T) {
	for said, want := range map[string]string{
		"die=0":                    `"die=0": not a die`,
		"die=x":                    `"die=x": strconv.Atoi: parsing "x": invalid syntax`,
		"die":                      `"die": strconv.Atoi: parsing "": invalid syntax`,
		"at=-1s":                   `"at=-1s": below 0`,
		"paused at=19":             `"at=19": time: missing unit in duration "19"`,
		"duration=-1s":             `"duration=-1s": below 0`,
		"duration=60":              `"duration=60": time: missing unit in duration "60"`,
		"draw=drawn":               `"draw=drawn": strconv.ParseUint: parsing "drawn": invalid syntax`,
		"rate=0":                   `"rate=0": rate "0": must be above 0`,
		"faults=xyz":               `"faults=xyz": encoding/hex: invalid byte: U+0078 'x'`,
		"faults=00":                `"faults=00": want 8 digits`,
		"die=10 seed=-1":           `"seed=-1": strconv.ParseUint: parsing "-1": invalid syntax`,
		"seed=\x1b[2J\u202e":       `"seed=\x1b[2J\u202e": strconv.ParseUint: parsing "\x1b[2J\u202e": invalid syntax`,
		"die=99999999999999999999": `"die=99999999999999999999": strconv.Atoi: parsing "99999999999999999999": value out of range`,
	} {
		_, err := parseTerms([]byte(said))
		assert.EqualError(t, err, want)
	}
	none, err := parseTerms(nil)
	assert.Zero(t, none)
	assert.NoError(t, err)
	known, err := parseTerms([]byte("colour=red die=3 fast"))
	assert.Equal(t, terms{die: 3}, known, "what is not known is passed over")
	assert.NoError(t, err)
}

func TestDiffer(t *testing.T) {
	full := terms{die: 10, timed: true, duration: time.Minute, seed: "7"}
	with := func(edit func(*terms)) terms {
		edited := full
		edit(&edited)
		return edited
	}
	for _, tt := range []struct {
		name         string
		zero, one    terms
		fatal, worth string
	}{
		{"alike", full, full, "", ""},
		{"nothing said", full, terms{}, "", ""},
		{"the die", full, with(func(t *terms) { t.die = 6 }), "die: machine 0 throws a die of 10 faces, machine 1 one of 6", ""},
		{
			"a replay", full, with(func(t *terms) { t.replay = true }),
			"replay: machine 1 does again what a record says, machine 0 does not", "",
		},
		{
			"a shorter run", full, with(func(t *terms) { t.duration = time.Second }), "",
			"duration: machine 1 runs for 1s, machine 0 for 1m0s: what machine 1 is sent after its end is lost",
		},
		{
			"a run without end", full, with(func(t *terms) { t.duration = 0 }), "",
			"duration: machine 0 runs for 1m0s, machine 1 until it is stopped: what machine 0 is sent after its end is lost",
		},
		{
			"a run with an end", with(func(t *terms) { t.duration = 0 }), full, "",
			"duration: machine 1 runs for 1m0s, machine 0 until it is stopped: what machine 1 is sent after its end is lost",
		},
		{
			"seeds", full, with(func(t *terms) { t.seed = "8" }), "",
			"seed: machine 0 has seed 7, machine 1 seed 8: no one seed repeats their dice",
		},
		{
			"a seed of its own", with(func(t *terms) { t.seed = seedDrawn }), full, "",
			"seed: machine 0 has drawn its own seed, machine 1 seed 7: no one seed repeats their dice",
		},
		{"machine 0 was told one", full, with(func(t *terms) { t.seed = seedDrawn }), "", ""},
		{"one has faults", with(func(t *terms) { t.faults = "01234567" }), full, "", ""},
		{
			"other faults", with(func(t *terms) { t.faults = "01234567" }), with(func(t *terms) { t.faults = "76543210" }), "",
			"faults: machine 0 has another fault plan than machine 1",
		},
		{"seeds of their own", with(func(t *terms) { t.seed = seedDrawn }), with(func(t *terms) { t.seed = seedDrawn }), "", ""},
		{"back in its run", full, with(func(t *terms) { t.seed = "" }), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fatal, worth := differ(named{0, tt.zero}, named{1, tt.one})
			var said []string
			for _, d := range worth {
				said = append(said, d.Part+": "+d.Error())
			}
			assert.Equal(t, tt.worth, strings.Join(said, "\n"))
			if tt.fatal == "" {
				assert.Nil(t, fatal)
			} else if assert.NotNil(t, fatal) {
				assert.Equal(t, tt.fatal, fatal.Part+": "+fatal.Error())
			}
		})
	}
}

// Both sides come to the same, as each refuses or warns for itself.
func TestDifferIsSymmetric(t *testing.T) {
	draw := func(t *rapid.T) terms {
		return terms{
			die:      rapid.IntRange(0, 2).Draw(t, "die"),
			timed:    rapid.Bool().Draw(t, "timed"),
			duration: time.Duration(rapid.IntRange(0, 2).Draw(t, "duration")) * time.Second,
			faults:   rapid.SampledFrom([]string{"", "01234567", "76543210"}).Draw(t, "faults"),
			seed:     rapid.SampledFrom([]string{"", seedDrawn, "7", "8"}).Draw(t, "seed"),
			replay:   rapid.Bool().Draw(t, "replay"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := named{0, draw(t)}, named{1, draw(t)}
		fatal, worth := differ(a, b)
		fatal2, worth2 := differ(b, a)
		assert.Equal(t, fatal, fatal2)
		assert.Equal(t, worth, worth2)
	})
}

// A difference is said once, however often machines meet.
func TestMeetings(t *testing.T) {
	var log bytes.Buffer
	m := newMeetings(0, terms{die: 10, timed: true, duration: time.Minute}, hclog.New(&hclog.LoggerOptions{Output: &log, DisableTime: true}))
	for range 3 {
		require.NoError(t, m.meet(1, []byte("die=10 duration=1s")))
		require.NoError(t, m.meet(2, []byte("die=10 duration=2s")))
	}
	assert.Equal(t, 2, strings.Count(log.String(), "\n"), log.String())
	assert.Contains(t, log.String(), "[WARN]  two machines of this run were started differently: reason=\"machine 1 runs for 1s, machine 0 for 1m0s: ")
	assert.EqualError(t, m.meet(1, []byte("die=6")), "machine 0 throws a die of 10 faces, machine 1 one of 6")
	assert.EqualError(t, m.meet(1, []byte("die=\n")), `machine 1 says of itself "die=": strconv.Atoi: parsing "": invalid syntax`)
}

// Whatever a stranger says of itself is taken for what it is, or refused.
func FuzzTerms(f *testing.F) {
	for _, said := range []string{"", "die=10 duration=1m0s seed=7", "die=10 duration=0s seed=drawn draw=9", "rate=0.5 faults=01234567", "replay", "die=", "seed=\xff"} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		heard, err := parseTerms(said)
		if err != nil {
			assert.Zero(t, heard)
			return
		}
		again, err := parseTerms(heard.encode())
		require.NoError(t, err)
		assert.Equal(t, heard, again)
	})
}
