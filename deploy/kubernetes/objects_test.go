package kubernetes_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/scalemodel/lamport/pkg/exit"
)

// object is of an object for Kubernetes what the tests look at.
type object struct {
	Kind     string
	Metadata metadata
	Spec     struct {
		Completions      int
		Replicas         int
		Template         struct{ Spec podSpec }
		PodFailurePolicy struct {
			Rules []struct {
				Action      string
				OnExitCodes struct{ Values []int } `yaml:"onExitCodes"`
			}
		} `yaml:"podFailurePolicy"`
		VolumeClaimTemplates []struct{ Metadata metadata } `yaml:"volumeClaimTemplates"`
	}
}

type metadata struct{ Name string }

type podSpec struct {
	Subdomain       string
	SecurityContext struct {
		User  int `yaml:"runAsUser"`
		Group int `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	Containers []struct {
		Command      []string
		Args         []string
		Env          []struct{ Name, Value string }
		VolumeMounts []struct {
			Name string
			Path string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
		Liveness struct{ Exec struct{ Command []string } } `yaml:"livenessProbe"`
	}
	Volumes []struct {
		Name   string
		Secret struct {
			Name string      `yaml:"secretName"`
			Mode os.FileMode `yaml:"defaultMode"`
		}
		Claim struct {
			Name string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
	}
}

// read returns an object of those that kustomize makes of a directory.
func read(t *testing.T, directory, kind, name string) object {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", directory+".yaml"))
	require.NoError(t, err)
	for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
		var o object
		err := d.Decode(&o)
		require.NotErrorIs(t, err, io.EOF, "no %s %s in %s", kind, name, directory)
		require.NoError(t, err)
		if o.Kind == kind && o.Metadata.Name == name {
			return o
		}
	}
}

// What a Job does at an exit code is what the code means.
func TestExitCodes(t *testing.T) {
	actions := map[int]string{}
	for _, rule := range read(t, "job", "Job", "lamport").Spec.PodFailurePolicy.Rules {
		for _, code := range rule.OnExitCodes.Values {
			actions[code] = rule.Action
		}
	}
	assert.Equal(t, map[int]string{
		int(exit.Broken): "FailJob", int(exit.Misused): "FailJob", int(exit.Died): "FailJob", int(exit.Short): "FailJob",
		int(exit.Retry): "Ignore", int(exit.Paused): "Ignore",
	}, actions)
}
