package validate

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsinstall "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	batchinstall "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	coreinstall "k8s.io/kubernetes/pkg/apis/core/install"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What "kubectl apply -k" is given.
var directories = []string{"job", "statefulset", "fetch", "sweep", "sweep-merge"}

// The objects are what the golden files hold, and an API server takes each of them.
func TestObjects(t *testing.T) {
	files := load(t)
	for _, name := range directories {
		t.Run(name, func(t *testing.T) {
			rendered := render(t, files, name)
			golden := filepath.Join("..", "testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, rendered, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(rendered, want) {
				t.Errorf("kustomize makes other objects than %s holds; \"go test . -args -update\" writes it anew:\n%s", golden, rendered)
			}
			for _, doc := range documents(t, rendered) {
				for _, problem := range refusals(doc) {
					t.Error(problem)
				}
			}
		})
	}
}

// Each of these mistakes is found: so the test above can fail.
func TestMistakes(t *testing.T) {
	files := load(t)
	for _, c := range []struct{ name, in, from, to, want string }{
		{"an unknown field", "job", "completionMode: Indexed", "completionsMode: Indexed", "unknown field"},
		{"a field twice", "job", "completionMode: Indexed", "completionMode: Indexed\n  completionMode: Indexed", "already set"},
		{"a value of another type", "job", "completions: 3", "completions: three", "cannot unmarshal string"},
		{"a rule that Kubernetes does not have", "job", "restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy"},
		{"a mount without a volume", "statefulset", "mountPath: /data\n          name: data", "mountPath: /data\n          name: date", "date"},
		{"a name that is none", "job", "name: lamport-gather\n", "name: lamport_gather\n", "RFC 1123"},
		{"a port that is none", "statefulset", "port: 2050", "port: 205000", "65535"},
		{"a quantity that is none", "statefulset", "storage: 1Gi", "storage: 1Gb", "quantities must match"},
		{"a process of root", "job", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		{"rights left over", "statefulset", "drop:\n            - ALL", "drop:\n            - CHOWN", "unrestricted capabilities"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rendered := string(render(t, files, c.in))
			if !strings.Contains(rendered, c.from) {
				t.Fatalf("no %q in\n%s", c.from, rendered)
			}
			var problems []string
			for _, doc := range documents(t, []byte(strings.ReplaceAll(rendered, c.from, c.to))) {
				problems = append(problems, refusals(doc)...)
			}
			if all := strings.Join(problems, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("of %q, no word of %q, but: %s", c.to, c.want, all)
			}
		})
	}
}

// load returns the directory above, with something in the place of the certificates that its
// user makes.
func load(t *testing.T) filesys.FileSystem {
	t.Helper()
	files := filesys.MakeFsInMemory()
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Name() {
		case "run", "testdata", "validate":
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".yaml" {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return files.WriteFile(strings.TrimPrefix(filepath.ToSlash(name), ".."), b)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vm-0", "vm-1", "vm-2", "gather"} {
		for _, file := range []string{"tls.crt", "tls.key", "ca.crt"} {
			if err := files.WriteFile("/certs/run/"+name+"/"+file, []byte(name+"'s "+file+"\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}

// render returns what "kubectl kustomize" prints of a directory.
func render(t *testing.T, files filesys.FileSystem, name string) []byte {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+name)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

func documents(t *testing.T, rendered []byte) (docs [][]byte) {
	t.Helper()
	for r := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(rendered))); ; {
		b := make([]byte, len(rendered)+1)
		n, err := r.Read(b)
		if err == io.EOF {
			return docs
		}
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, b[:n])
	}
}

var scheme = runtime.NewScheme()

func init() {
	for _, install := range []func(*runtime.Scheme){coreinstall.Install, appsinstall.Install, batchinstall.Install} {
		install(scheme)
	}
}

// refusals returns why an API server refuses an object that one asks it to create: it reads it
// strictly, as kubectl has it do, sets the defaults, and validates it; and why a namespace does
// that is restricted (https://kubernetes.io/docs/concepts/security/pod-security-standards).
func refusals(doc []byte) (problems []string) {
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	object, kind, err := decoder.Decode(doc, nil, nil)
	if err != nil {
		return []string{err.Error()}
	}
	scheme.Default(object)
	internal, err := scheme.ConvertToVersion(object, schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return []string{err.Error()}
	}
	meta := internal.(metav1.Object)
	meta.SetNamespace(metav1.NamespaceDefault)
	meta.SetUID("8f1c2d7e-0000-4000-8000-000000000000")
	var errs field.ErrorList
	var template *core.PodTemplateSpec
	switch o := internal.(type) {
	case *core.Service:
		if o.Spec.ClusterIP != "" { // as the registry does before it validates
			o.Spec.ClusterIPs = []string{o.Spec.ClusterIP}
		}
		errs = corevalidation.ValidateServiceCreate(o)
	case *core.Secret:
		errs = corevalidation.ValidateSecret(o)
	case *core.PersistentVolumeClaim:
		errs = corevalidation.ValidatePersistentVolumeClaim(o, corevalidation.ValidationOptionsForPersistentVolumeClaimCreate())
	case *core.Pod:
		template = &core.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		errs = corevalidation.ValidatePodCreate(o, pod.GetValidationOptionsFromPodTemplate(template, nil))
	case *apps.StatefulSet:
		template = &o.Spec.Template
		errs = appsvalidation.ValidateStatefulSet(o, appsvalidation.StatefulSetValidationOptions{},
			pod.GetValidationOptionsFromPodTemplate(template, nil))
	case *batch.Job:
		template = &o.Spec.Template
		selectByUID(o)
		errs = batchvalidation.ValidateJobCreate(o, batchvalidation.JobValidationOptions{
			PodValidationOptions: pod.GetValidationOptionsFromPodTemplate(template, nil), RequirePrefixedLabels: true,
		})
	default:
		return []string{"nothing validates a " + kind.String()}
	}
	for _, err := range errs {
		problems = append(problems, fmt.Sprintf("%s %s: %v", kind.Kind, meta.GetName(), err))
	}
	if template != nil {
		problems = append(problems, unrestricted(template)...)
	}
	return problems
}

// selectByUID gives a Job the labels and the selector that the registry gives it before it
// validates.
func selectByUID(o *batch.Job) {
	uid := string(o.UID)
	maps.Copy(o.Spec.Template.Labels, map[string]string{
		batch.JobNameLabel: o.Name, batch.LegacyJobNameLabel: o.Name,
		batch.ControllerUidLabel: uid, batch.LegacyControllerUidLabel: uid,
	})
	if o.Spec.Selector == nil {
		o.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{batch.ControllerUidLabel: uid}}
	}
}

// unrestricted returns how pods break the standard "restricted".
func unrestricted(template *core.PodTemplateSpec) (problems []string) {
	var meta metav1.ObjectMeta
	template.ObjectMeta.DeepCopyInto(&meta)
	var spec v1.PodSpec
	if err := corev1.Convert_core_PodSpec_To_v1_PodSpec(&template.Spec, &spec, nil); err != nil {
		return []string{err.Error()}
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(level, &meta, &spec) {
		if !result.Allowed {
			problems = append(problems, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return problems
}
