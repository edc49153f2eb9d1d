package roster

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEngine(t *testing.T) {
	type env map[string]string
	for _, tt := range []struct {
		name        string
		env         env
		file        string
		pid, parent int
		want        string
	}{
		{"a shell", env{"HOME": "/root"}, "", 70, 60, ""},
		{"mpirun", env{"OMPI_COMM_WORLD_RANK": "0"}, "", 70, 60, "mpi"},
		{"mpich", env{"PMI_RANK": "2"}, "", 70, 60, "mpi"},
		{"mpirun in a Slurm job", env{"PMIX_RANK": "1", "SLURM_JOB_ID": "7"}, "", 70, 60, "mpi"},
		{"srun", env{"SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}, "", 70, 60, "slurm"},
		{"a batch script", env{"SLURM_JOB_ID": "7"}, "", 70, 60, "slurm"},
		{"PBS", env{"PBS_JOBID": "7.host"}, "", 70, 60, "pbs"},
		{"a pod", env{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "/.dockerenv", 1, 0, "kubernetes"},
		{"a container's process", nil, "/.dockerenv", 1, 0, "docker"},
		{"below docker-init", nil, "/.dockerenv", 7, 1, "docker"},
		{"a shell in a container", nil, "/.dockerenv", 70, 60, ""},
		{"podman", nil, "/run/.containerenv", 1, 0, "podman"},
		{"the first process of something else", nil, "", 1, 0, ""},
		{"a unit of systemd", env{"SYSTEMD_EXEC_PID": "70"}, "", 70, 1, "systemd"},
		{"a shell below one", env{"SYSTEMD_EXEC_PID": "60", "INVOCATION_ID": "af3c"}, "", 70, 60, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, engine(host{
				getenv: func(name string) string { return tt.env[name] },
				exists: func(path string) bool { return path == tt.file },
				pid:    tt.pid, parent: tt.parent,
			}))
		})
	}
}

func TestEngineOfThisProcess(t *testing.T) {
	assert.Equal(t, "slurm", Engine(func(name string) string {
		return map[string]string{"SLURM_PROCID": "0"}[name]
	}))
	if os.Getppid() != 1 && os.Getpid() != 1 {
		assert.Empty(t, Engine(func(string) string { return "" }), "it is a test")
	}
	assert.True(t, exists("engine.go"))
	assert.False(t, exists("no-engine.go"))
}
