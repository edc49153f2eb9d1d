package remote

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseSettings(t *testing.T) {
	assert.Equal(t, map[string]string{"hostname": "10.0.0.1", "controlpath": "/tmp/%C", "user": "", "": ""},
		parseSettings([]byte("hostname 10.0.0.1\r\nHostName other\nControlPath /tmp/%C\nuser\n\n")))
}

func TestParseFile(t *testing.T) {
	sum := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for in, want := range map[string]File{
		"3 " + sum:       {3, sum},
		"3":              {3, ""},
		"3 not-there":    {3, ""},
		"-1":             {-1, ""},
		"0 " + sum[:10]:  {0, ""},
		"12 " + sum + "": {12, sum},
	} {
		got, err := parseFile(in)
		assert.NoError(t, err)
		assert.Equal(t, want, got, in)
	}
	_, err := parseFile("many")
	assert.Error(t, err)
}

func TestLastLine(t *testing.T) {
	for in, want := range map[string]string{"": "", "\r\n \n": "", "a\nb\r\n\r\n": "b", "a": "a"} {
		assert.Equal(t, want, lastLine([]byte(in)))
	}
}
